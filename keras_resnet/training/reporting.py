"""What a person sees of a run: progress, TensorBoard, metrics, curves."""

import contextlib
import json
import pathlib
import statistics
import sys
import time

import tensorflow as tf
import tqdm
from absl import logging

from keras_resnet import files
from keras_resnet.evaluation.metrics import has_top5
from keras_resnet.training.workdir import METRICS

CURVES = "curves.png"


class Reporter:
    """Reports one run into its workdir and on the terminal.

    A disk that is full does not stop it: metrics.jsonl is written whole each
    time, so the next time writes what is missing.

    Args:
        workdir: of the run.
        first_step: where it goes on.
        steps: the last one.
        records: what `evaluation` was told before `first_step`. Checkpoints
            keep them, so metrics.jsonl has no step twice and none missing.
        num_classes: of the data set.
    """

    def __init__(self, workdir, *, first_step, steps, records=(), num_classes):
        self.workdir = pathlib.Path(workdir)
        self.steps, self.num_classes = steps, num_classes
        self.records = list(records)
        if self.records or (self.workdir / METRICS).exists():
            self._write_records()
        self._tensorboard = tf.summary.create_file_writer(
            str(self.workdir / "tensorboard")
        )
        # A bar is for a terminal; a log gets one line an evaluation.
        self._bar = tqdm.tqdm(
            total=steps,
            initial=first_step,
            unit="step",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )
        self._clock, self._clock_step = time.perf_counter(), first_step
        self.images_per_second = None  # until there were any

    def step(self):
        """Counts one iteration."""
        self._bar.update()

    def pace(self, step, batch_size):
        """Measures images/s since the last call that counted."""
        if step == self._clock_step:
            return
        now = time.perf_counter()
        images = (step - self._clock_step) * batch_size
        self.images_per_second = images / max(now - self._clock, 1e-9)
        self.restart_clock(step)

    def restart_clock(self, step):
        """Leaves out of images/s what was not training."""
        self._clock, self._clock_step = time.perf_counter(), step

    def training(self, step, metrics, learning_rate):
        """A report of the last few iterations."""
        self._bar.set_postfix_str(
            f"loss {metrics.loss:.3f}, accuracy {metrics.top1_accuracy:.2%}, "
            f"learning rate {learning_rate:g}{self._pace(', ')}"
        )
        scalars = {
            "train/loss": metrics.loss,
            "train/top1_accuracy": metrics.top1_accuracy,
            "learning_rate": learning_rate,
            "images_per_second": self.images_per_second,
        }
        self._scalars(step, scalars)

    def evaluation(self, record):
        """A line of metrics.jsonl.

        Args:
            record: dict of JSON values, all of which the recipe decides: what
                depends on the clock goes to TensorBoard and the terminal.
        """
        self.records.append(record)
        with _forgiving(METRICS):
            self._write_records()
        scalars = {
            "validation/loss": record["validation_loss"],
            "validation/top1_accuracy": record["top1_accuracy"],
        }
        if has_top5(self.num_classes):
            scalars["validation/top5_accuracy"] = record["top5_accuracy"]
        self._scalars(record["step"], scalars)
        self._bar.write(
            f"step {record['step']:>6}/{self.steps}  "
            f"epoch {record['epoch']:6.1f}  "
            f"train loss {record['train_loss']:.4f}  "
            f"train accuracy {record['train_top1_accuracy']:.2%}  "
            f"validation accuracy {record['top1_accuracy']:.2%}  "
            f"learning rate {record['learning_rate']:g}{self._pace('  ')}"
        )
        sys.stdout.flush()

    def _pace(self, separator):
        rate = self.images_per_second
        if rate is None:
            return ""
        # A large network on a CPU takes seconds an image.
        digits = f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
        return f"{separator}{digits} images/s"

    def _write_records(self):
        lines = [json.dumps(record) + "\n" for record in self.records]
        files.write_text(self.workdir / METRICS, "".join(lines))

    def _scalars(self, step, scalars):
        with _forgiving("tensorboard"), self._tensorboard.as_default(step=step):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)

    def draw(self, title):
        """Writes curves.png from all records of the run."""
        with _forgiving("tensorboard"):
            self._tensorboard.flush()
        with _forgiving(CURVES):
            self._draw(title)

    def finish(self, title):
        """Writes all that the run leaves; a full disk is an error now."""
        self._write_records()
        self._draw(title)

    def _draw(self, title):
        if self.records:
            with files.replacing(self.workdir / CURVES) as path:
                draw_curves(self.records, path, title)

    def close(self):
        """Ends the bar and TensorBoard's file."""
        self._bar.close()
        with _forgiving("tensorboard"):
            self._tensorboard.close()


class Silence:
    """In place of a `Reporter` where another worker reports."""

    images_per_second = None

    def _nothing(self, *_):
        pass

    step = pace = restart_clock = training = evaluation = _nothing
    draw = finish = close = _nothing


@contextlib.contextmanager
def _forgiving(name):
    """Logs that a file could not be written, and goes on."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        logging.error("Cannot write %s: %s", name, reason)


def draw_curves(records, path, title):
    """Errors over iterations as in P1 Fig. 6: thin training, bold validation.

    Args:
        records: dicts of metrics.jsonl.
        path: of the PNG.
        title: of the picture.
    """
    import matplotlib.figure  # no pyplot: no display, no global state

    steps = [record["step"] for record in records]
    figure = matplotlib.figure.Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for key, name, width in (
        ("train_top1_accuracy", "training", 1.0),
        ("top1_accuracy", "validation", 2.5),
    ):
        errors = [100 * (1 - record[key]) for record in records]
        axes.plot(
            steps,
            errors,
            color="C0",
            linewidth=width,
            label=f"{name}, {errors[-1]:.2f} % at the end",
        )
    # The first evaluations would flatten all that follows.
    typical = statistics.median(
        1 - record["top1_accuracy"] for record in records
    )
    axes.set(
        title=title,
        xlabel="iterations",
        ylabel="error (%)",
        ylim=(0, min(100.0, max(5.0, 400 * typical))),
        xlim=(0, max(steps)),
    )
    _mark_rate_changes(axes, records)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=120)


def _mark_rate_changes(axes, records):
    for before, after in zip(records, records[1:], strict=False):
        if before["learning_rate"] != after["learning_rate"]:
            axes.axvline(before["step"], color="0.7", linestyle=":", zorder=0)
