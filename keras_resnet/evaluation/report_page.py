"""A `Report` as a page: one file that opens in any browser, without a network.

Class names and file names are text, so a browser draws them in any script.
"""

import html

import numpy as np

from keras_resnet.labels.html import picture

# With more classes, nobody reads a table of all pairs.
MOST_IN_TABLE = 40
# Pairs of classes that are listed instead.
PAIRS = 30

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1f6feb; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem;
  margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
div.wide {{ overflow-x: auto; }}
th, td {{ padding: .15rem .6rem; text-align: right; }}
tbody th {{ font-weight: normal; text-align: left; }}
tr.head th {{ border-bottom: 1px solid; text-align: right; }}
svg {{ max-width: 24rem; }}
figure {{ display: inline-block; width: 10rem; margin: .5rem;
  vertical-align: top; overflow-wrap: anywhere; font-size: .85rem; }}
figure img {{ width: 100%; image-rendering: pixelated; }}
</style>
<h1>{title}</h1>
<p>{facts}</p>
<h2>Classes</h2>
<div class="wide">{classes}</div>
{confusion}<h2>How far to trust the probabilities</h2>
<p>Each bar holds the {predictions} of a range of probabilities. Its height is
the part of them that is {right}. On the line, the two are the same; the
expected calibration error, {calibration:.3f}, is the mean distance from it.</p>
{reliability}
<h2>The surest mistakes</h2>
{mistakes}
</html>
"""


def page(report):
    """The text of the page.

    Args:
        report: `report.Report`.
    """
    metrics = report.metrics
    facts = (
        f"{metrics.num_examples:,} examples of {len(report.class_names)} "
        f"classes. Accuracy {metrics.top1_accuracy:.2%}; mean over the "
        f"classes {report.balanced_accuracy:.2%}; loss {metrics.loss:.4f}."
    )
    return _fill(
        report,
        facts=facts,
        confusion="<h2>What is taken for what</h2>\n"
        f'<div class="wide">{_confusion(report)}</div>\n',
        predictions="predictions",
        right="right",
        words=lambda mistake: (
            f"<b>{html.escape(mistake.label)}</b>, taken for "
            f"<b>{html.escape(mistake.predicted)}</b> at "
            f"{mistake.probability:.1%}"
        ),
    )


def multi_label_page(report):
    """The text of the page for labels that do not exclude each other.

    Args:
        report: `multi_label_report.MultiLabelReport`.
    """
    metrics = report.metrics
    facts = (
        f"{metrics.num_examples:,} examples, each with any of "
        f"{len(report.class_names)} labels. {metrics}. A label is answered "
        "with yes where its probability is above 0.5. AP is its average "
        "precision, mAP their mean."
    )
    return _fill(
        report,
        facts=facts,
        confusion="",
        predictions="labels of all examples",
        right="there",
        words=lambda mistake: (
            f"<b>{html.escape(mistake.label)}</b> is "
            f"{'there' if mistake.is_there else 'not there'}; answered at "
            f"{mistake.probability:.1%}"
        ),
    )


def _fill(report, *, words, right, **parts):
    """_PAGE with its `parts`; `words` say what is wrong in a mistake."""
    figures = (_mistake(mistake, words(mistake)) for mistake in report.mistakes)
    return _PAGE.format(
        title=html.escape(report.split),
        classes=class_table(report),
        calibration=report.calibration_error,
        reliability=_reliability(report.bins, right),
        mistakes="\n".join(figures) or "<p>None.</p>",
        right=right,
        **parts,
    )


def _row(cells, name="", head=False):
    tag = "th" if head else "td"
    kind = ' class="head"' if head else ""
    cells = "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells)
    return f"<tr{kind}><th>{html.escape(name)}</th>{cells}</tr>"


def _table(rows):
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def class_table(report):
    """The figures of each class as an HTML table."""
    rows = report.rows()
    columns = next(iter(rows.values()))
    head = [_HEADINGS.get(c, c.replace("_", " ")) for c in columns]
    return _table(
        [
            _row(head, head=True),
            *(_row(map(_number, row.values()), n) for n, row in rows.items()),
        ]
    )


# Headings of columns that are not called by their name.
_HEADINGS = {"average_precision": "AP", "f1": "F1"}


def _number(value):
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _confusion(report):
    names, counts = report.class_names, report.confusion
    if len(names) > MOST_IN_TABLE:
        return _table(_pairs(names, counts))
    rows = [_row(names, "is \\ taken for", head=True)]
    for name, row in zip(names, counts, strict=True):
        cells = "".join(
            f'<td style="background: color-mix(in srgb, var(--ink) '
            f'{70 * count / max(row.sum(), 1):.0f}%, transparent)">'
            f"{count or ''}</td>"
            for count in row
        )
        rows.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    return _table(rows)


def _pairs(names, counts):
    """The pairs that are mistaken most often."""
    wrong = counts * (1 - np.eye(len(names), dtype=counts.dtype))
    yield _row(("taken for", "examples", "of"), "is", head=True)
    for place in np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]:
        i, j = np.unravel_index(place, wrong.shape)
        if wrong[i, j]:
            yield _row((names[j], wrong[i, j], counts[i].sum()), names[i])


def _reliability(bins, right):
    """A reliability diagram as SVG, one bar per bin."""
    width = 100 / len(bins)
    bars = "".join(
        f'<rect x="{i * width + 0.5:.2f}" y="{100 - 100 * part / count:.2f}" '
        f'width="{width - 1:.2f}" height="{100 * part / count:.2f}" '
        f'fill="var(--ink)"><title>{count:,.0f} predictions of '
        f"{confidence / count:.1%} on average, {part / count:.1%} {right}"
        "</title></rect>"
        for i, (count, confidence, part) in enumerate(bins)
        if count
    )
    return (
        '<svg viewBox="-12 -4 116 120" role="img" font-size="5" '
        'fill="currentColor">'
        f"{bars}"
        '<path d="M0 0V100H100M0 100L100 0" fill="none" '
        'stroke="currentColor" stroke-width=".5"/>'
        '<text x="50" y="112" text-anchor="middle">probability</text>'
        '<text x="0" y="106">0</text><text x="97" y="106">1</text>'
        '<text x="-5" y="50" text-anchor="middle" '
        f'transform="rotate(-90 -5 50)">part that is {right}</text></svg>'
    )


def _mistake(mistake, words):
    return (
        f"<figure>{picture(mistake.image)}"
        f"<figcaption>{words}<br>{html.escape(mistake.name)}"
        "</figcaption></figure>"
    )
