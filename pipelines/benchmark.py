"""Measures the library beside its peers, in turns, in one run.

    python pipelines/benchmark.py input --json=runs/input.json

Its benchmarks are input, train, own (a folder of pictures), inference, scaling
and gpu (training steps on a GPU, ours on JAX). Each measures groups, one after
the other, and writes after each: the same command goes on where it was cut off.
--groups=500x375,small measures some. A file holds the runs of several machines.
To bring the documentation up to date:

    python pipelines/benchmark.py input --json=docs/input.json \\
      --plot=docs/input.png --markdown=docs/PERFORMANCE.md

and so for the others; the tables of scaling go to docs/SCALING.md.
"""

import importlib
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import flags  # noqa: E402
from benchmarks import machines  # noqa: E402
from benchmarks import measure  # noqa: E402
from benchmarks import pictures  # noqa: E402
from benchmarks import promises  # noqa: E402
from benchmarks import records  # noqa: E402
from benchmarks import tables  # noqa: E402

from keras_resnet.commands import running  # noqa: E402
from keras_resnet.errors import UsageError  # noqa: E402
from keras_resnet.errors import lookup  # noqa: E402
from keras_resnet.errors import require  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "json",
    None,
    "Write every figure to this file, beside those of other machines and "
    "versions that it has.",
)
flags.DEFINE_string("plot", None, "Draw the figures to this PNG.")
flags.DEFINE_string(
    "markdown",
    None,
    "Replace the tables in this file, between the lines "
    "<!-- benchmark NAME --> and <!-- end of benchmark NAME -->.",
)
flags.DEFINE_string(
    "figures", None, "Show the figures of this JSON file; measure nothing."
)
flags.DEFINE_list(
    "groups",
    None,
    "Measure these only; of NAME/PART the name alone stands for all its parts.",
)
flags.DEFINE_bool(
    "again", False, "Measure anew what --json has of this machine and commit."
)
flags.DEFINE_bool(
    "short", False, "Fewer rounds, networks and groups: a minute or two."
)
flags.DEFINE_bool(
    "quick", False, "Little of all: whether it works; the figures mean nothing."
)
flags.DEFINE_string(
    "images",
    None,
    "input: a folder of JPEG files, in place of those that are made.",
)
flags.DEFINE_integer(
    "images_per_round",
    512,
    "input: of --images, those of one timed run.",
    lower_bound=1,
)
flags.DEFINE_string(
    "exports", "runs/inference", "inference: takes exported networks, 3 GB."
)

# {name: flags that its module's `groups` takes}. The module, which is
# benchmarks/NAME_benchmark.py, has
#     PACKAGES: those whose versions are noted
#     FULL, SHORT, QUICK: how much is measured
#     groups(amounts, **flags): {group: () -> its part of the figures, a dict
#         that JSON can hold}; nothing is measured before a call
#     report(figures): list of paragraphs, list of `pictures.Panel`, for
#         the groups that are there
BENCHMARKS = {
    "input": ("images", "images_per_round"),
    "train": (),
    "own": (),
    "inference": ("exports",),
    "scaling": (),
    "gpu": (),
}


def main(args):
    require(
        len(args) == 1,
        "Name one benchmark: python pipelines/benchmark.py NAME. "
        f"Known: {', '.join(BENCHMARKS)}. Received: {' '.join(args)!r}.",
    )
    (name,) = args
    lookup(BENCHMARKS, name, "benchmark")
    benchmark = importlib.import_module(f"benchmarks.{name}_benchmark")
    markdown = FLAGS.markdown and tables.Document(FLAGS.markdown, name)
    record = _record(name)
    for path in filter(None, (FLAGS.json, FLAGS.plot)):
        _check_writable(pathlib.Path(path))
    if not FLAGS.figures:
        for _ in _measured(name, benchmark, record):
            _show(benchmark, record, markdown)
    print(f"\n{_show(benchmark, record, markdown)}\n")
    for path in filter(None, (FLAGS.json, FLAGS.plot, FLAGS.markdown)):
        print(f"Written: {path}")


def _record(name):
    """What --figures or --json has, or a record without runs."""
    path = FLAGS.figures or FLAGS.json
    if FLAGS.figures or (path and _size(path)):
        return records.read(path, name)
    return {"benchmark": name, "machines": {}}


def _size(path):
    return os.path.getsize(path) if os.path.isfile(path) else 0


def _measured(name, benchmark, record):
    """Measures the groups that are missing; yields after each."""
    amounts = benchmark.FULL
    if FLAGS.short or FLAGS.quick:
        amounts = benchmark.QUICK if FLAGS.quick else benchmark.SHORT
    chosen = {flag: FLAGS[flag].value for flag in BENCHMARKS[name]}
    groups = _chosen(benchmark.groups(amounts, **chosen))
    given = {flag: FLAGS[flag].value for flag in chosen if FLAGS[flag].present}
    machine = measure.machine(*benchmark.PACKAGES)
    run = records.begin(record, machine, {**amounts, **given})
    for group, measured in groups.items():
        if group in run["parts"] and not FLAGS.again:
            print(f"Group {group}: there already.")
            continue
        print(f"Group {group}:")
        load, start = os.getloadavg()[0], time.monotonic()
        found = {"load_average": load, "figures": measured()}
        found["seconds"] = time.monotonic() - start
        run["parts"][group] = found
        print(f"Group {group}: {found['seconds']:.0f} s.")
        yield group


def _chosen(groups):
    """The groups that --groups names, in the benchmark's order."""
    if not FLAGS.groups:
        return groups
    known = {**groups, **{name.partition("/")[0]: None for name in groups}}
    for name in FLAGS.groups:
        lookup(known, name, "group")
    return {
        name: measured
        for name, measured in groups.items()
        if {name, name.partition("/")[0]} & set(FLAGS.groups)
    }


def _show(benchmark, record, markdown):
    """Writes what the flags ask for; returns the text of all tables."""
    if FLAGS.json:
        records.write(FLAGS.json, record)
    figures = records.figures(record)
    paragraphs, panels = benchmark.report(figures)
    paragraphs += promises.table(figures)
    paragraphs += machines.side_by_side(record, benchmark.report)
    text = "\n\n".join(paragraphs)
    if FLAGS.plot and panels:
        pictures.draw(figures, panels, FLAGS.plot)
    if markdown:
        markdown.replace(text)
    return text


def _check_writable(path):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise UsageError(
            f"Cannot write {str(path)!r}: {error.strerror}."
        ) from error


if __name__ == "__main__":
    running.run(main)
