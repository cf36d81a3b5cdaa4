"""What a person sees of a run: progress, metrics, curves, TensorBoard."""

import contextlib
import json
import pathlib
import statistics
import time

from absl import logging

from keras_resnet import files
from keras_resnet import progress
from keras_resnet.evaluation import metrics as metrics_lib
from keras_resnet.labels import drawing
from keras_resnet.training.hooks import Hook
from keras_resnet.training.workdir import METRICS

CURVES = "curves.png"


class Pace:
    """Images/s of training alone.

    Args:
        batch_size: images of an iteration.
        step: iterations done before.

    Attributes:
        images_per_second: float; None until there was an iteration.
    """

    def __init__(self, batch_size, step):
        self.images_per_second, self._batch_size = None, batch_size
        self.restart(step)

    def measure(self, step):
        """Measures the pace since the last measurement or restart."""
        if step == self._step:
            return
        seconds = max(time.perf_counter() - self._clock, 1e-9)
        images = (step - self._step) * self._batch_size
        self.images_per_second = images / seconds
        self.restart(step)

    def restart(self, step):
        """Starts anew, so that what was not training does not count."""
        self._clock, self._step = time.perf_counter(), step

    def __str__(self):
        rate = self.images_per_second
        if rate is None:
            return ""
        # A large network on a CPU takes seconds an image.
        return f"{rate:.0f} images/s" if rate >= 10 else f"{rate:.2g} images/s"


class Reporter(Hook):
    """Reports one run into its workdir and on the terminal.

    A full disk does not stop it: metrics.jsonl is rewritten each time, so the
    next write adds what is missing. Checkpoints keep its lines, so no step is
    repeated or missing.

    Args:
        workdir: of the run.
        recipe: `recipes.Recipe`.
        class_names: of the data set.
    """

    def __init__(self, workdir, recipe, class_names):
        self.workdir, self.recipe = pathlib.Path(workdir), recipe
        self._has_top5 = metrics_lib.has_top5(len(class_names))
        self._bar = self._tensorboard = self._shown = None
        self._drawn = 0  # evaluations in the curves
        self._next_drawing = -float("inf")

    def begin(self, engine, state):
        if state.records or (self.workdir / METRICS).exists():
            self._write_records(state.records)
        self._tensorboard = engine.tensorboard(self.workdir / "tensorboard")
        # Only a terminal or a notebook shows the bar; a log gets one line for
        # each evaluation.
        self._bar = progress.Bar(self.recipe.steps, state.step)
        self._bar.tell("compiling")
        self.pace = Pace(self.recipe.batch_size, state.step)

    def after_step(self, state):
        self._bar.advance(state.step)

    def after_report(self, state, metrics):
        self.pace.measure(state.step)
        trained = state.kind.TRAINED
        value = getattr(metrics, trained)
        facts = (f"loss {metrics.loss:.3f}", str(self.pace))
        self._bar.tell(facts=[*filter(None, facts)])
        self._scalars(
            state.step,
            {
                "train/loss": metrics.loss,
                f"train/{trained}": value,
                "learning_rate": state.learning_rate,
                "images_per_second": self.pace.images_per_second,
            },
        )

    def before_evaluation(self, state):
        self.pace.measure(state.step)
        self._bar.tell("evaluating")

    def after_evaluation(self, state):
        with forgiving(METRICS):
            self._write_records(state.records)
        record = state.records[-1]
        scalars = {"validation/loss": record["validation_loss"]}
        for name in metrics_lib.figures(state.kind):
            if self._has_top5 or name != "top5_accuracy":
                scalars[f"validation/{name}"] = record[name]
        self._scalars(state.step, scalars)
        self._print(record, state.kind)
        self.pace.restart(state.step)

    def _print(self, record, kind):
        trained = record[f"train_{kind.TRAINED}"]
        words = (
            f"step {record['step']:>6}/{self.recipe.steps}",
            f"epoch {record['epoch']:6.1f}",
            f"train loss {record['train_loss']:.4f}",
            f"train {kind.WORDS[kind.TRAINED]} {trained:.2%}",
            *(
                f"validation {word} {record[name]:.2%}"
                for name, word in kind.WORDS.items()
            ),
            f"learning rate {record['learning_rate']:g}",
            str(self.pace),
        )
        self._bar.write("  ".join(filter(None, words)))
        self._bar.tell()

    def _write_records(self, records):
        lines = [json.dumps(record) + "\n" for record in records]
        files.write_text(self.workdir / METRICS, "".join(lines))

    def _scalars(self, step, scalars):
        if self._tensorboard is not None:
            self._tensorboard.write(step, scalars)

    def after_checkpoint(self, state):
        if self._tensorboard is not None:
            self._tensorboard.flush()
        # Drawing the curves can take longer than a short epoch.
        if time.monotonic() >= self._next_drawing:
            with forgiving(CURVES):
                self._draw(state)
        self.pace.restart(state.step)

    def finish(self, state):
        """Writes all that the run leaves; a full disk is an error now."""
        self._write_records(state.records)
        self._draw(state)

    def _draw(self, state):
        title = f"{self.recipe.variant} on {self.recipe.dataset}"
        if len(state.records) > self._drawn:
            begun = time.monotonic()
            with files.replacing(self.workdir / CURVES) as path:
                draw_curves(state.records, path, title, state.kind)
            ended = time.monotonic()
            self._next_drawing = ended + 10 * (ended - begun)
            self._drawn = len(state.records)
            self._shown = progress.show_picture(
                self.workdir / CURVES, self._shown
            )

    def close(self):
        if self._bar is not None:
            self._bar.close()
        if self._tensorboard is not None:
            self._tensorboard.close()


@contextlib.contextmanager
def forgiving(name, errors=OSError):
    """Logs that a file could not be written, and goes on.

    Args:
        name: of the file.
        errors: an exception or a tuple of them.
    """
    try:
        yield
    except errors as error:
        reason = str(error).splitlines()[0]
        logging.error("Cannot write %s: %s", name, reason)


def draw_curves(records, path, title, kind=metrics_lib.Metrics):
    """Errors over iterations as in P1 Fig. 6: thin training, bold validation.

    Args:
        records: dicts of metrics.jsonl.
        path: of the PNG.
        title: of the picture.
        kind: value of `metrics.KINDS`, of the records.
    """
    with drawing.figure(path, 4.2) as figure:
        _draw_errors(figure.subplots(), records, title, kind)


def _draw_errors(axes, records, title, kind):
    steps = [record["step"] for record in records]
    for key, name, width in (
        (f"train_{kind.TRAINED}", "training", 1.0),
        (kind.TRAINED, "validation", 2.5),
    ):
        errors = [100 * (1 - record[key]) for record in records]
        axes.plot(
            steps,
            errors,
            color=drawing.COLORS[0],
            linewidth=width,
            label=f"{name}, {errors[-1]:.2f} % at the end",
        )
    axes.set(
        title=title,
        xlabel="iterations",
        ylabel=kind.ERROR,
        ylim=(0, _highest(records, kind)),
        xlim=(0, max(steps)),
    )
    _mark_rate_changes(axes, records)
    axes.legend(loc="upper right")


def _highest(records, kind):
    """The end of the axis, %: early errors would flatten what follows."""
    typical = max(
        statistics.median(1 - record[key] for record in records)
        for key in (f"train_{kind.TRAINED}", kind.TRAINED)
    )
    return min(100.0, max(5.0, 400 * typical))


def _mark_rate_changes(axes, records):
    for before, after in zip(records, records[1:], strict=False):
        if before["learning_rate"] != after["learning_rate"]:
            axes.axvline(before["step"], color="0.7", linestyle=":", zorder=0)
