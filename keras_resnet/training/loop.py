"""A training run, from a recipe and a directory to metrics and a model."""

import dataclasses
import pathlib

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import labels
from keras_resnet import model as model_lib
from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import inspection
from keras_resnet.data import order
from keras_resnet.data import pipeline
from keras_resnet.data import shares
from keras_resnet.errors import require
from keras_resnet.evaluation import metrics as metrics_lib
from keras_resnet.training import averages
from keras_resnet.training import checkpoint
from keras_resnet.training import precise_bn
from keras_resnet.training import start
from keras_resnet.training import step as step_lib
from keras_resnet.training import workdir as workdir_lib
from keras_resnet.training.reporting import Reporter
from keras_resnet.training.reporting import Silence
from keras_resnet.training.schedules import Schedule
from keras_resnet.training.signals import Signals
from keras_resnet.training.workers import Workers

_NO_SUMS = np.zeros(len(metrics_lib.SUMS))


class Interrupted(Exception):
    """A signal stopped the run after a checkpoint. `step` is where."""

    def __init__(self, step):
        super().__init__(f"stopped at step {step}")
        self.step = step


def train_and_evaluate(recipe, workdir, *, strategy, data_dir=None):
    """Trains a network, going on from the last checkpoint of the workdir.

    Writes config.json, checkpoints/, metrics.jsonl, tensorboard/, curves.png,
    and at the end model.keras with labels.txt and card.json, and
    masked_images.csv if `on_bad_image` masked any.

    Args:
        recipe: `recipes.Recipe`.
        workdir: a directory of this run alone; made if missing.
        strategy: from `distribution.make_strategy`.
        data_dir: for TensorFlow Datasets.

    Returns:
        `metrics.Metrics` on the validation split.

    Raises:
        keras_resnet.UsageError: if a setting, the data or the workdir cannot
            work; before the first iteration, but for an unreadable image and
            for a loss that is not finite.
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
        workers.WorkerLost: if another worker is gone.
    """
    start.check(recipe)
    start.check_devices(recipe, strategy)
    workers = Workers(strategy)
    require(
        workers.count == 1 or not recipes.max_masked(recipe.on_bad_image),
        "--on_bad_image=mask:N counts the images of one process, so it cannot "
        "work with --strategy=multi_worker. Find them first with "
        "pipelines/data.py validate, and remove them.",
    )
    workdir = pathlib.Path(workdir)

    def prepare():
        splits = {
            name: datasets.load(recipe.dataset, name, data_dir=data_dir)
            for name in ("train", "validation")
        }
        start.check_classes(splits["train"])
        if workers.is_chief:
            workdir_lib.claim(workdir, recipe, strategy)
        return splits

    with workers.noticing_loss():
        splits = workers.together(prepare)
        workers.together(lambda: workdir_lib.check_shared(workdir, recipe))
        return _Run(recipe, workdir, strategy, workers, splits).finish()


class _Run:
    """The state of a run between two iterations."""

    def __init__(self, recipe, workdir, strategy, workers, splits):
        self.recipe, self.workdir = recipe, workdir
        self.strategy, self.workers = strategy, workers
        self.splits = splits
        self.info = datasets.info(recipe.dataset)
        self.schedule = Schedule(recipe)
        keras.utils.set_random_seed(recipe.seed)
        with strategy.scope():
            self.model = self._build()
            self.optimizer = start.make_optimizer(self.model, recipe)
        self.train_step = step_lib.make_train_step(
            strategy,
            self.model,
            self.optimizer,
            label_smoothing=recipe.label_smoothing,
            gradient_accumulation_steps=recipe.gradient_accumulation_steps,
            jit_compile=recipe.jit_compile,
        )
        self.averaged = averages.make_averaged(strategy, self.optimizer)
        self.eval_step = step_lib.make_eval_step(strategy, self.model)
        self.sync = step_lib.make_sync_batch_norm(strategy, self.model)
        self.variables = checkpoint.variables_by_path(
            self.model, self.optimizer
        )
        # Sums of steps not yet read from the devices, and totals since the
        # last report and since the last evaluation.
        self.metrics = None  # of the last evaluation
        self.recent = []
        self.totals = {"report": _NO_SUMS, "evaluation": _NO_SUMS}
        self.masked = {}
        self.step = workers.together(self._restore)
        workdir_lib.check_same_step(workdir, workers.gather(self.step))
        self.reporter = Silence()
        if workers.is_chief:
            self.reporter = Reporter(
                workdir, first_step=self.step, steps=recipe.steps
            )

    def _build(self):
        class_names = self.splits["train"].class_names
        model = model_lib.build(
            self.recipe.variant,
            classes=len(class_names),
            input_shape=(self.recipe.image_size, self.recipe.image_size, 3),
            dtype=self.recipe.dtype,
            remat=self.recipe.remat,
            pixel_mean=self.info.pixel_mean,
            pixel_std=self.info.pixel_std,
        )
        start.load_and_freeze(model, self.recipe, class_names)
        return model

    def _restore(self):
        state = checkpoint.restore(
            self.workdir / workdir_lib.CHECKPOINTS, self.variables
        )
        limit = recipes.max_masked(self.recipe.on_bad_image)
        if limit:
            known = state.get("masked", {}) if state else {}
            self.masked = {
                name: bad_images.MaskedImages(split, limit, known.get(name))
                for name, split in self.splits.items()
            }
        if state is None:
            return 0
        self.schedule.restore(state["schedule"])
        self.totals = {
            name: np.array(total) for name, total in state["totals"].items()
        }
        return state["step"]

    def finish(self):
        """Runs to the last step; returns the final `Metrics`."""
        try:
            with Signals() as signals:
                self._train(signals)
            if self.metrics is None:  # an earlier session trained to the end
                self.metrics = self._evaluate()
            if self.workers.is_chief:
                self._save_model()
                self._list_masked()
            self.reporter.draw(self._title())
            # The chief's process keeps the others together.
            self.workers.wait()
            return self.metrics
        finally:
            self.reporter.close()

    def _train(self, signals):
        recipe = self.recipe
        batches = iter(self._batches())
        while self.step < recipe.steps:
            rate = self.schedule.learning_rate(self.step)
            self._set_learning_rate(rate)
            self.recent.append(self.train_step(self._next(batches)))
            self.step += 1
            self.reporter.step()
            last = self.step == recipe.steps
            # All stop at the same step, whichever got the signal.
            stop = self.workers.highest(signals.received) and not last
            if self.step % recipe.log_every_steps == 0:
                self._report(rate)
            if last and recipe.precise_bn_batches:
                self._recalibrate(batches)
            if last or self.step % recipe.eval_every_steps == 0:
                self._validate(rate)
            if last or stop or self.step % recipe.checkpoint_every_steps == 0:
                self._save_checkpoint()
            if stop:
                raise Interrupted(self.step)

    def _batches(self):
        """Of all iterations to come, and of `_recalibrate` after them."""
        steps = self.recipe.steps + self.recipe.precise_bn_batches
        recipe = dataclasses.replace(self.recipe, steps=steps)
        # The model's own: they come with --weights.
        fill = keras.ops.convert_to_numpy(self.model.get_layer("pixels").mean)

        def make(context):
            return pipeline.train_dataset(
                self.splits["train"],
                recipe,
                fill=fill,
                first_step=self.step,
                masked=self.masked.get("train"),
                context=context,
            )

        return shares.distribute(self.strategy, make, steps - self.step)

    def _next(self, batches, ahead=0):
        try:
            batch = next(batches)
        except tf.errors.OpError as error:
            split = self.splits["train"]
            indices, _ = order.positions(split, self.recipe, self.step + ahead)
            raise bad_images.blame(split, indices, error) from error
        if self.masked:
            self.masked["train"].check()
        return batch

    def _recalibrate(self, batches):
        """Precise BN of the final model, on the batches that would follow."""
        with self.averaged():
            precise_bn.recalibrate(
                self.model,
                (
                    self._next(batches, ahead=i)
                    for i in range(self.recipe.precise_bn_batches)
                ),
                strategy=self.strategy,
                parts=self.recipe.gradient_accumulation_steps,
            )

    def _set_learning_rate(self, rate):
        held = keras.ops.convert_to_numpy(self.optimizer.learning_rate)
        if held != np.float32(rate):
            self.optimizer.learning_rate = rate

    def _read_sums(self):
        if self.recent:
            sums = np.sum([np.asarray(s) for s in self.recent], axis=0)
            self.recent = []
            self.totals = {n: t + sums for n, t in self.totals.items()}

    def _take(self, name):
        """The metrics of a total, which starts again."""
        self._read_sums()
        metrics = metrics_lib.Metrics.from_sums(self.totals[name])
        self.totals[name] = _NO_SUMS
        return metrics

    def _report(self, rate):
        metrics = self._take("report")
        require(
            np.isfinite(metrics.loss),
            f"The loss is {metrics.loss} at step {self.step}: the run has "
            "diverged. The last checkpoint is from before; try a lower "
            "--learning_rate or a warm-up (--warmup_steps=400).",
        )
        self.schedule.after_training(metrics.top1_error)
        self.reporter.pace(self.step, self.recipe.batch_size)
        self.reporter.training(self.step, metrics, rate)

    def _validate(self, rate):
        self.sync()
        metrics = self.metrics = self._evaluate()
        train = self._take("evaluation")
        self.schedule.after_evaluation(metrics.top1_error)
        images = self.step * self.recipe.batch_size
        self.reporter.evaluation(
            {
                "step": self.step,
                "epoch": images / self.splits["train"].num_examples,
                "train_loss": train.loss,
                "train_top1_accuracy": train.top1_accuracy,
                "validation_loss": metrics.loss,
                "top1_accuracy": metrics.top1_accuracy,
                "top5_accuracy": metrics.top5_accuracy,
                "learning_rate": rate,
                "images_per_second": self.reporter.images_per_second,
            }
        )
        self.reporter.restart_clock(self.step)

    def _evaluate(self):
        with self.averaged():
            return evaluate(
                self.eval_step,
                self.strategy,
                self.splits["validation"],
                batch_size=self.recipe.batch_size,
                resize=self.recipe.eval_resize,
                size=self.recipe.image_size,
                masked=self.masked.get("validation"),
            )

    def _save_checkpoint(self):
        self._read_sums()
        self.sync()
        if self.workers.is_chief:
            checkpoint.save(
                self.workdir / workdir_lib.CHECKPOINTS,
                self.step,
                self.variables,
                {
                    "schedule": self.schedule.state(),
                    "totals": {n: t.tolist() for n, t in self.totals.items()},
                    "masked": {n: m.reasons for n, m in self.masked.items()},
                },
                keep=self.recipe.keep_checkpoints,
            )
        self.reporter.draw(self._title())
        self.reporter.restart_clock(self.step)

    def _save_model(self):
        unfinished = self.workdir / f"unfinished-{workdir_lib.MODEL}"
        with self.averaged():
            self.model.save(unfinished)
        unfinished.rename(self.workdir / workdir_lib.MODEL)
        labels.Card(
            class_names=self.splits["train"].class_names,
            image_size=self.recipe.image_size,
            eval_resize=self.recipe.eval_resize,
            variant=self.recipe.variant,
            dataset=self.recipe.dataset,
        ).save(self.workdir)

    def _list_masked(self):
        rows = [
            (masked.split.describe(index), why)
            for masked in self.masked.values()
            for index, why in masked.reasons.items()
        ]
        if not rows:
            return
        inspection.write_csv(
            self.workdir / workdir_lib.MASKED, ("image", "reason"), rows
        )

    def _title(self):
        return f"{self.recipe.variant} on {self.recipe.dataset}"


def evaluate(
    eval_step, strategy, split, *, batch_size, resize, size, masked=None
):
    """`Metrics` of a split, on all devices of a strategy.

    Args:
        eval_step: from `step.make_eval_step`.
        strategy: the same.
        split: `datasets.Split`.
        batch_size: the global batch; a multiple of the devices.
        resize, size: pixels, as `pipeline.eval_dataset`.
        masked: `bad_images.MaskedImages`, or None to fail.
    """

    def make(context):
        return pipeline.eval_dataset(
            split,
            batch_size=batch_size,
            resize=resize,
            size=size,
            masked=masked,
            context=context,
        )

    steps = -(-split.num_examples // batch_size)
    batches = bad_images.naming_bad(
        split, shares.distribute(strategy, make, steps), batch_size
    )
    metrics = metrics_lib.evaluate(eval_step, batches)
    if masked is not None:
        masked.check()
    return metrics
