"""The figures of the input benchmark as tables and as a picture."""

import hashlib
import json

from benchmarks import contenders

MARK = "figures "


def markdown(figures):
    """The section "Input" of docs/PERFORMANCE.md.

    Args:
        figures: dict of `input_benchmark.run`.
    """
    parts = [_machine(figures)]
    for name, of_set in figures["sets"].items():
        parts += [_heading(name, of_set), _speed(of_set["speed"], "image")]
        parts += ["Against the antialiased resize:", _quality(of_set)]
    parts += [
        "### Small images, 32x32, from memory",
        _speed(figures["small"]["speed"], "image"),
        "### Memory",
        _memory(figures["memory"]),
    ]
    return "\n\n".join(parts)


def _machine(figures):
    machine = figures["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, TensorFlow "
        f"{machine['tensorflow']}, Pillow {machine['pillow']}; "
        f"load {machine['load_average']:.1f} before the run; "
        f"{figures['rounds']} rounds in turns after one to warm up, least and "
        "greatest in brackets."
    )


def _heading(name, of_set):
    note = of_set["note"]
    return (
        f"### {name}\n\n"
        f"{of_set['files']} files of {of_set['mean_kilobytes']:,.0f} KB in "
        f"the mean: {note}. {of_set['images_per_round']:,} images a round."
    )


def table(titles, rows):
    """Lines of a Markdown table, its columns aligned.

    Args:
        titles: words with " | " between.
        rows: lists of words.
    """
    lines = [titles.split(" | "), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines
    )


def _speed(speed, what):
    rows = []
    for name, row in speed.items():
        cpu, fast = row["cpu_ms"], row["images_per_second"]
        rows.append(
            [
                name,
                spread(cpu, ".3g"),
                f"{fast['median']:,.0f}",
                spread(row["reference_over_this"], ".2f"),
            ]
        )
    titles = f"contender | CPU ms an {what} | images/s | ours over it, CPU"
    return table(titles, rows)


def spread(values, form):
    """'median (least..greatest)' of a spread, each number by `form`."""
    median, low, high = (
        format(values[key], form) for key in ("median", "min", "max")
    )
    return f"{median} ({low}..{high})"


def _quality(of_set):
    methods = list(dict.fromkeys(row["method"] for row in of_set["quality"]))
    cells = {
        (row["shorter_side"], row["method"]): _difference(row)
        for row in of_set["quality"]
    }
    shrinks = {r["shorter_side"]: r["shrink"] for r in of_set["quality"]}
    rows = [
        [str(side), f"{shrink:.2f}", *(cells[side, name] for name in methods)]
        for side, shrink in shrinks.items()
    ]
    titles = " | ".join(["shorter side", "shrinks by", *methods])
    return table(titles, rows)


def _difference(row):
    if row["psnr"] is None:
        return "equal"
    return f"{row['psnr']:.1f} dB, {row['mean_difference']:.2f} of 255"


def _memory(cases):
    rows = []
    for case in cases:
        at = case["megabytes"]
        rows.append(
            [
                f"{case['files']:,}",
                f"{case['classes']:,}",
                f"{case['listing_seconds']:.2f}",
                *(f"{at[key]:,.0f}" for key in ("imported", "opened")),
                f"{at['streamed'][0]:,.0f}",
                f"{at['streamed'][-1]:,.0f}",
                f"{max(at['streamed']):,.0f}",
                f"{case['kilobytes_per_1000_images']:+,.0f}",
            ]
        )
    first, last = cases[0]["every"], cases[0]["images"]
    titles = (
        "files | classes | listing, s | MB imported | opened | "
        f"after {first:,} images | after {last:,} | most | "
        "KB more each 1,000 images of the second half"
    )
    return table(titles, rows)


def mark(figures):
    """Stands in the picture's file for the figures that it shows."""
    text = json.dumps(figures, sort_keys=True)
    return MARK + hashlib.sha256(text.encode()).hexdigest()


# Okabe and Ito's colours, which the colour-blind tell apart.
OURS, PEER, BOUND = "#0072B2", "#E69F00", "#000000"


def draw(figures, path):
    """CPU time of each contender, a panel for each size of images.

    Args:
        figures: dict of `input_benchmark.run`.
        path: of the PNG.
    """
    import matplotlib.figure  # no pyplot: no display, no global state

    sets = figures["sets"]
    figure = matplotlib.figure.Figure(
        figsize=(8, 0.5 + 2.4 * len(sets)), layout="constrained"
    )
    panels = figure.subplots(len(sets), squeeze=False)[:, 0]
    for axes, (name, of_set) in zip(panels, sets.items(), strict=True):
        _draw_panel(axes, name, of_set)
    panels[-1].set_xlabel(
        "CPU ms an image: median; the line is the spread over the rounds"
    )
    figure.savefig(path, dpi=120, metadata={"Comment": mark(figures)})


def _draw_panel(axes, name, of_set):
    cpu = {key: row["cpu_ms"] for key, row in of_set["speed"].items()}
    bound = cpu.pop(contenders.CEILING)["median"]
    bars(axes, cpu)
    line(axes, bound, f"{contenders.CEILING}, {bound:.3g}")
    axes.set_title(
        f"{name}, {of_set['mean_kilobytes']:,.0f} KB a file", fontsize=10
    )


def bars(axes, spreads):
    """A bar for each contender, as long as its median.

    Args:
        axes: of Matplotlib.
        spreads: {name: spread}; names that begin with "ours" are ours.
    """
    for place, (name, spread_of_one) in enumerate(spreads.items()):
        median, low, high = (
            spread_of_one[key] for key in ("median", "min", "max")
        )
        axes.barh(
            place,
            median,
            color=OURS if name.startswith(contenders.OURS) else PEER,
            xerr=[[median - low], [high - median]],
            error_kw={"linewidth": 1, "capsize": 2, "ecolor": "0.3"},
        )
        axes.annotate(
            f"{median:.3g}",
            (high, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(spreads)), spreads)
    axes.set_ylim(len(spreads), -0.6)
    axes.margins(x=0.1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def line(axes, place, text):
    """An upright line across all bars, with its text below them."""
    axes.axvline(place, color=BOUND, linestyle="--", linewidth=1.2)
    bottom = axes.get_ylim()[0]
    axes.annotate(
        text,
        (place, bottom - 0.3),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )
