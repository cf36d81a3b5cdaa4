"""Measures the library beside its peers, in turns, in one run.

    python pipelines/benchmark.py input --json=runs/input.json

Its benchmarks are input, train, own (a folder of pictures), inference, scaling
and gpu (training steps on a GPU, ours on JAX). To bring the documentation up to
date:

    python pipelines/benchmark.py input --json=docs/input.json \\
      --plot=docs/input.png --markdown=docs/PERFORMANCE.md

and so for the others; the tables of scaling go to docs/SCALING.md.
"""

import importlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import flags  # noqa: E402
from benchmarks import pictures  # noqa: E402
from benchmarks import tables  # noqa: E402

from keras_resnet.commands import running  # noqa: E402
from keras_resnet.errors import UsageError  # noqa: E402
from keras_resnet.errors import lookup  # noqa: E402
from keras_resnet.errors import require  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("json", None, "Write every figure to this file.")
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

# {name: flags that its module's `run` takes}. The module, which is
# benchmarks/NAME_benchmark.py, has
#     FULL, QUICK: how much is measured
#     run(amounts, **flags): dict of figures that JSON can hold
#     report(figures): list of paragraphs, list of `pictures.Panel`
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
    taken = lookup(BENCHMARKS, name, "benchmark")
    benchmark = importlib.import_module(f"benchmarks.{name}_benchmark")
    markdown = FLAGS.markdown and tables.Document(FLAGS.markdown, name)
    for path in filter(None, (FLAGS.json, FLAGS.plot)):
        _check_writable(pathlib.Path(path))
    if FLAGS.figures:
        figures = _read(FLAGS.figures, name)
    else:
        amounts = benchmark.QUICK if FLAGS.quick else benchmark.FULL
        chosen = {flag: FLAGS[flag].value for flag in taken}
        figures = benchmark.run(amounts, **chosen)
    if FLAGS.json:
        pathlib.Path(FLAGS.json).write_text(json.dumps(figures, indent=1))
    paragraphs, panels = benchmark.report(figures)
    text = "\n\n".join(paragraphs)
    print(f"\n{text}\n")
    if FLAGS.plot:
        pictures.draw(figures, panels, FLAGS.plot)
    if markdown:
        markdown.replace(text)
    for path in filter(None, (FLAGS.json, FLAGS.plot, FLAGS.markdown)):
        print(f"Written: {path}")


def _check_writable(path):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise UsageError(
            f"Cannot write {str(path)!r}: {error.strerror}."
        ) from error


def _read(path, name):
    try:
        figures = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--figures must be a file that --json wrote. Received: {path!r}: "
            f"{error}"
        ) from error
    require(
        figures["benchmark"] == name,
        f"The figures in {path!r} are of {figures['benchmark']!r}, not of "
        f"{name!r}.",
    )
    return figures


if __name__ == "__main__":
    running.run(main)
