"""Measures the library beside its peers, in turns, in one run.

    python pipelines/benchmark.py input --json=runs/input.json

To bring the documentation up to date:

    python pipelines/benchmark.py input --json=docs/input.json \\
      --plot=docs/input.png --markdown=docs/PERFORMANCE.md
    python pipelines/benchmark.py train --json=docs/train.json \\
      --plot=docs/train.png --markdown=docs/PERFORMANCE.md
    python pipelines/benchmark.py inference --json=docs/inference.json \\
      --plot=docs/inference.png --markdown=docs/PERFORMANCE.md
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable

import _app
from absl import flags
from benchmarks.document import Document

from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import require

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
    "exports",
    "runs/inference",
    "inference: where exported networks are kept for the next time, 3 GB.",
)


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One word after `benchmark.py`.

    Attributes:
        measure: () -> dict of figures that JSON can hold.
        markdown: figures -> text with the tables.
        draw: (figures, path of a PNG).
    """

    measure: Callable
    markdown: Callable
    draw: Callable


def _input():
    from benchmarks import input_benchmark as benchmark
    from benchmarks import input_report as report

    amounts = benchmark.QUICK if FLAGS.quick else benchmark.FULL
    if FLAGS.images:
        amounts = benchmark.of_user(
            amounts, FLAGS.images, FLAGS.images_per_round
        )
    return Benchmark(
        lambda: benchmark.run(amounts, FLAGS.images),
        report.markdown,
        report.draw,
    )


def _train():
    from benchmarks import train_benchmark as benchmark
    from benchmarks import train_contenders as contenders
    from benchmarks import train_report as report

    amounts = contenders.QUICK if FLAGS.quick else contenders.FULL
    return Benchmark(
        lambda: benchmark.run(amounts), report.markdown, report.draw
    )


def _inference():
    from benchmarks import inference_benchmark as benchmark
    from benchmarks import inference_contenders as contenders
    from benchmarks import inference_picture as picture
    from benchmarks import inference_report as report

    amounts = contenders.QUICK if FLAGS.quick else contenders.FULL
    return Benchmark(
        lambda: benchmark.run(amounts, FLAGS.exports),
        report.markdown,
        picture.draw,
    )


def _scaling():
    from benchmarks import scaling

    amounts = scaling.QUICK if FLAGS.quick else scaling.FULL
    return Benchmark(
        lambda: scaling.run(amounts), scaling.markdown, scaling.draw
    )


BENCHMARKS = {
    "input": _input,
    "train": _train,
    "inference": _inference,
    "scaling": _scaling,
}


def main(args):
    require(
        len(args) == 1,
        "Name one benchmark: python pipelines/benchmark.py NAME. "
        f"Known: {', '.join(BENCHMARKS)}. Received: {' '.join(args)!r}.",
    )
    (name,) = args
    benchmark = lookup(BENCHMARKS, name, "benchmark")()
    markdown = Document(FLAGS.markdown, name) if FLAGS.markdown else None
    for path in filter(None, (FLAGS.json, FLAGS.plot)):
        _check_writable(path)
    if FLAGS.figures:
        figures = _read(FLAGS.figures, name)
    else:
        figures = benchmark.measure()
    text = benchmark.markdown(figures)
    print(f"\n{text}\n")
    if FLAGS.json:
        pathlib.Path(FLAGS.json).write_text(json.dumps(figures, indent=1))
    if FLAGS.plot:
        benchmark.draw(figures, FLAGS.plot)
    if markdown:
        markdown.replace(text)
    for path in filter(None, (FLAGS.json, FLAGS.plot, FLAGS.markdown)):
        print(f"Written: {path}")


def _check_writable(path):
    path = pathlib.Path(path)
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
    _app.run(main)
