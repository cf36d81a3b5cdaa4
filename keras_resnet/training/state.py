"""Where a run stands between two iterations: what a checkpoint keeps."""

import dataclasses

import numpy as np

from keras_resnet.errors import DivergedError
from keras_resnet.evaluation import metrics as metrics_lib
from keras_resnet.recipes.schedules import Schedule


def _no_sums():
    return np.zeros(len(metrics_lib.SUMS))


@dataclasses.dataclass
class RunState:
    """The numbers that decide how a run goes on, beside its variables.

    Attributes:
        schedule: `schedules.Schedule`, or an object with its methods.
        step: iterations done.
        learning_rate: of the last iteration.
        totals: {name: float64 (4,)}, sums of `metrics.SUMS` since the last
            "report" and since the last "evaluation".
        done: {name: the last step at which it was done}: "sync" of BN's
            statistics, "evaluation", and "checkpoint" as scheduled.
        metrics: `Metrics` of the last evaluation, or None.
        records: dicts, the lines of metrics.jsonl.
        kind: value of `metrics.KINDS`, for the labels of the data.
    """

    schedule: Schedule
    step: int = 0
    learning_rate: float = 0.0
    totals: dict = dataclasses.field(
        default_factory=lambda: dict(report=_no_sums(), evaluation=_no_sums())
    )
    done: dict = dataclasses.field(
        default_factory=lambda: dict(sync=0, evaluation=0, checkpoint=0)
    )
    metrics: metrics_lib.Metrics | None = None
    records: list = dataclasses.field(default_factory=list)
    kind: type = metrics_lib.Metrics

    def add(self, rows, newest):
        """Adds the sums of the last iterations to all totals.

        Adds them one after another: rounding in a sum of sums would depend on
        the steps at which it is read, and a signal may add such a step.

        Args:
            rows: float (T, 4), of the last iteration and those before it.
            newest: as for `DivergedError`.

        Raises:
            keras_resnet.errors.DivergedError: if a loss is not finite.
        """
        rows = np.asarray(rows, np.float64)
        for step, sums in enumerate(rows, self.step - len(rows) + 1):
            if not np.isfinite(sums[0]):
                raise DivergedError(f"The loss is {sums[0]}", step, newest)
            self.totals = {n: total + sums for n, total in self.totals.items()}

    def take(self, name):
        """The metrics of a total; resets the total."""
        metrics = self.kind.from_sums(self.totals[name])
        self.totals[name] = _no_sums()
        return metrics

    def record(self, batch_size, num_examples):
        """Adds a line of metrics.jsonl: nothing in it depends on the clock.

        Args:
            batch_size: examples of an iteration.
            num_examples: of an epoch.
        """
        train, trained = self.take("evaluation"), self.kind.TRAINED
        self.records.append(
            {
                "step": self.step,
                "epoch": self.step * batch_size / num_examples,
                "train_loss": train.loss,
                f"train_{trained}": getattr(train, trained),
                "validation_loss": self.metrics.loss,
                **{
                    name: getattr(self.metrics, name)
                    for name in metrics_lib.figures(self.kind)
                },
                "learning_rate": self.learning_rate,
            }
        )

    def best(self):
        """The record of the best evaluation, or None before the first.

        It has the highest accuracy, or mean average precision with many labels.
        Ties go to the lowest loss, then to the first.
        """

        def rank(record):
            return record[self.kind.BEST], -record["validation_loss"]

        return max(self.records, key=rank, default=None)

    def is_over(self, recipe):
        """Whether the run is over: all iterations done, or out of patience."""
        if not recipe.patience or not self.records:
            return self.step == recipe.steps
        since = len(self.records) - 1 - self.records.index(self.best())
        return self.step == recipe.steps or since >= recipe.patience

    def kept_metrics(self, recipe):
        """`Metrics` of the network that the run keeps as model.keras."""
        if recipe.keep == "last":
            return self.metrics
        best = self.best()
        return dataclasses.replace(
            self.metrics,
            loss=best["validation_loss"],
            **{name: best[name] for name in metrics_lib.figures(self.kind)},
        )

    def to_json(self):
        """Everything but the step, as JSON values."""
        return {
            "schedule": self.schedule.state(),
            "learning_rate": self.learning_rate,
            "totals": {n: total.tolist() for n, total in self.totals.items()},
            "done": dict(self.done),
            "metrics": self.metrics and dataclasses.asdict(self.metrics),
            "records": self.records,
        }

    def restore(self, state):
        """Restores what `to_json` returned, and the step.

        Args:
            state: dict of state.json, maybe with the fields of others.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: if it holds
                what `to_json` never gives.
        """
        self.schedule.restore(state["schedule"])
        self.step = _of_kind(int, state["step"])
        self.learning_rate = _of_kind(float | int, state["learning_rate"])
        totals = {n: _sums(t) for n, t in state["totals"].items()}
        done = {n: _of_kind(int, s) for n, s in state["done"].items()}
        # The name in version 0.1.
        if "average" in done:
            done["sync"] = done.pop("average")
        if not (
            self.totals.keys() <= totals.keys()
            and self.done.keys() <= done.keys()
        ):
            raise KeyError("totals or done")
        self.totals, self.done = totals, done
        if state["metrics"]:
            self.metrics = self.kind(**state["metrics"])
        self.records = [_of_kind(dict, r) for r in state["records"]]


def _of_kind(kind, value):
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is of another type")
    return value


def _sums(values):
    sums = np.array(values, np.float64)
    if sums.shape != _no_sums().shape:
        raise ValueError(f"{values!r} are no sums")
    return sums
