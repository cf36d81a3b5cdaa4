"""What was run, beside the papers: a list for the terminal, docs/RESULTS.md."""

import importlib
import re

from benchmarks import tables
from reproduction import places
from reproduction import rates
from reproduction import results as results_lib
from reproduction import spreads
from reproduction.experiments import EXPERIMENTS

from keras_resnet import files
from keras_resnet.recipes import protocols

RESULTS, DOCUMENT = "results", "RESULTS.md"
STORIES = ("WHY_RESIDUAL.md", "WHY_RESIDUAL.ko.md")
# In a story: experiment, scale and data set; the head of a table; its rows.
_TABLE = re.compile(
    r"(<!-- (\w+), (\w+), (\w+) -->\n\|.*\n\|[-|]+\n)((?:\|.*\n)*)"
)

_HEAD = """\
# The papers' results, and ours

Written by `python pipelines/reproduce.py --report` from the records in
`docs/results/`; do not edit. P1 and P2 are the papers of 2015
([arXiv 1512.03385](https://arxiv.org/abs/1512.03385)) and 2016
([arXiv 1603.05027](https://arxiv.org/abs/1603.05027)). Ours are medians over
seeds, with the least and the greatest; P1 prints the best of several runs, P2
the median of 5. Beside P2 Table 1 "fail" is a test error above 20 %, as there.
A row is "better" or "worse" than another where with each seed their errors
differ by more than twice the standard error of that difference.
[The curves of every run](CURVES.md) are a page that plays.
"""

_PLACES = """\
Every table and figure of both papers, and what was run of what asks it here:

{}
"""

_PROTOCOLS = """\
## protocols

How the papers train on CIFAR and how the authors' released code of 2016 does,
where they differ, each with its source. They are recipes of `train.py`:
`cifar10_resnet164_v2` and `cifar10_resnet164_v2_1k_code`.

{table}"""


def all_records(folder):
    """{experiment: its records in a folder}."""
    return {
        name: results_lib.Results(folder, name).records()
        for name in EXPERIMENTS
    }


def listing(folder):
    """What the papers show and all rows, with what records in a folder say."""
    named = all_records(folder)
    lines = ["", "Tables and figures of both papers:"]
    lines += [f"  {line}" for line in places.listing(named)]
    for name, experiment in EXPERIMENTS.items():
        groups = results_lib.by_setting(named[name])
        lines += ["", f"{name}: {experiment.question}", experiment.source]
        if any(row.paper for row in experiment.rows.values()):
            lines.append(f"in the paper: {experiment.unit}")
        for row_name, row in experiment.rows.items():
            ours = [
                f"    {scale} {dataset}: "
                + _summary(experiment, records, row_name)
                for (scale, dataset), records in groups.items()
                if any(record["row"] == row_name for record in records)
            ]
            paper = f", in the paper {row.paper}" if row.paper else ""
            state = "" if ours else ": not run"
            lines += [f"  {row_name}{paper}{state}", *ours]
    return "\n".join(lines[1:])


def _summary(experiment, records, row_name):
    module = importlib.import_module(f"reproduction.{experiment.module}")
    mine = [record for record in records if record["row"] == row_name]
    summary = getattr(module, "summary", None)
    return summary(mine) if summary else f"{len(mine)} records"


def write(docs):
    """Writes docs/RESULTS.md, pictures, and the tables within the stories.

    Returns:
        list of pathlib.Path of the files in the folder `docs`.
    """
    named = all_records(docs / RESULTS)
    shown = "\n".join(f"- {line}." for line in places.listing(named))
    written, parts = [], [_HEAD, _contents(), _PLACES.format(shown)]
    for name, experiment in EXPERIMENTS.items():
        parts.append(_chapter(name, experiment, named[name], docs, written))
    parts.append(_PROTOCOLS.format(table=protocols.table()))
    path = docs / DOCUMENT
    files.write_text(path, "\n".join(parts))
    for story in map(docs.joinpath, STORIES):
        if story.exists():
            text = story.read_text(encoding="utf-8")
            files.write_text(story, filled(text, docs / RESULTS))
    return [path, *written]


def filled(text, folder):
    """A story, its tables with the rows that the records in a folder give."""
    return _TABLE.sub(
        lambda found: found[1] + "".join(_rows(folder, *found.groups()[1:4])),
        text,
    )


def _rows(folder, name, scale, dataset):
    """Lines of a story's table: row, paper, errors, sampling error, seeds.

    A grid's rows have the test error at the greatest rate, then the best rate
    and the errors at it.
    """
    records = results_lib.Results(folder, name).records()
    records = results_lib.by_setting(records)[scale, dataset]
    experiment = EXPERIMENTS[name]
    best = results_lib.by_row(experiment, rates.at_best(experiment, records))
    for row, found in best.items():
        cells = [row, experiment.rows[row].paper]
        if scale == "rates":
            mine = [record for record in records if record["row"] == row]
            *_, greatest = rates.by_rate(mine).values()
            cells.append(spreads.errors(greatest, "test_error"))
            cells.append(str(found[0]["recipe"]["learning_rate"]))
        cells.append(spreads.errors(found, "test_error"))
        cells += [spreads.sampling_error(found)]
        cells += [spreads.errors(found, "train_error"), str(len(found))]
        yield f"| {' | '.join(cells)} |\n"


def _contents():
    lines = [
        [f"[{name}](#{name})", experiment.question, experiment.source]
        for name, experiment in EXPERIMENTS.items()
    ]
    return tables.table("experiment | question | source", lines) + "\n"


def _chapter(name, experiment, records, docs, written):
    module = importlib.import_module(f"reproduction.{experiment.module}")
    lines = [
        f"## {name}\n",
        f"{experiment.title}: {experiment.source}. {experiment.question}\n",
        *([f"{experiment.answer}\n"] if experiment.answer else []),
    ]
    groups = results_lib.by_setting(records)
    for (scale, dataset), found in groups.items():
        flags = f"--experiment={name} --scale={scale} --dataset={dataset}"
        lines.append(f"### {name}, {scale}, {dataset}\n")
        how = getattr(module, "how", results_lib.how)
        lines.append(f"`{_program(found)} {flags}`, {how(found)}.\n")
        lines.append(module.table(experiment, found) + "\n")
        if hasattr(module, "picture"):
            file = f"{name}-{scale}-{_as_file_name(dataset)}.png"
            module.picture(experiment, found, docs / RESULTS / file)
            written.append(docs / RESULTS / file)
            lines.append(f"![{experiment.title}]({RESULTS}/{file})\n")
    if "full" in experiment.settings and not any(
        scale == "full" for scale, _ in groups
    ):
        flags = f"--experiment={name} --scale=full"
        lines.append(f"### {name}, full: not run\n")
        lines.append(f"`python pipelines/reproduce.py {flags}`\n")
        lines.append(module.table(experiment, []) + "\n")
    if experiment.silent:
        lines.append("Where the papers are silent, or this is not theirs:\n")
        lines += [f"- {text}." for text in experiment.silent]
        lines.append("")
    return "\n".join(lines)


def _program(records):
    backends = {r["environment"].get("backend") for r in records}
    name = "reproduce_on_jax" if backends == {"jax"} else "reproduce"
    return f"python pipelines/{name}.py"


def _as_file_name(dataset):
    return "".join(c if c.isalnum() else "_" for c in dataset)
