"""A training run, from a recipe and a directory to metrics and a model."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_resnet import files
from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import order
from keras_resnet.data.examples import shares
from keras_resnet.data.examples import splits as splits_lib
from keras_resnet.evaluation import metrics as metrics_lib
from keras_resnet.models import build
from keras_resnet.training import averages
from keras_resnet.training import checkpoint
from keras_resnet.training import checks
from keras_resnet.training import divergence
from keras_resnet.training import mean_image
from keras_resnet.training import precise_bn
from keras_resnet.training import replicas
from keras_resnet.training import results
from keras_resnet.training import start
from keras_resnet.training import step as step_lib
from keras_resnet.training import validation
from keras_resnet.training import workdir as workdir_lib
from keras_resnet.training.reporting import Reporter
from keras_resnet.training.reporting import Silence
from keras_resnet.training.saving import Saver
from keras_resnet.training.schedules import Schedule
from keras_resnet.training.signals import Interrupted
from keras_resnet.training.signals import Signals
from keras_resnet.training.workers import Workers

_NO_SUMS = np.zeros(len(metrics_lib.SUMS))


def train_and_evaluate(
    recipe, workdir, *, strategy, data_dir=None, resume="auto"
):
    """Trains a network, going on from the last checkpoint of the workdir.

    Writes config.json, checkpoints/, metrics.jsonl, tensorboard/, curves.png,
    and at the end model.keras with labels.txt and card.json, and
    masked_images.csv if `on_bad_image` masked any.

    Wherever the process dies, the same call ends with the weights and the
    metrics.jsonl of a run that was never stopped, bit for bit on the same
    machine, TensorFlow, threads and number of replicas.

    Args:
        recipe: `recipes.Recipe`.
        workdir: a directory of this run alone; made if missing.
        strategy: from `distribution.make_strategy`.
        data_dir: for TensorFlow Datasets.
        resume: key of `workdir.RESUME`.

    Returns:
        `metrics.Metrics` on the validation split.

    Raises:
        keras_resnet.UsageError: if a setting, the data or the workdir cannot
            work, before the first iteration; later for an unreadable image,
            for a loss or weight that is not finite and for a disk that is
            full.
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
        workers.WorkerLost: if another worker is gone.
    """
    workers = Workers(strategy)

    def prepare():
        checks.check_settings(recipe, strategy, workers)
        for line in recipes.past_the_end(recipe) if workers.is_chief else ():
            logging.warning(line)
        checked = workdir_lib.check(workdir, recipe, resume)
        splits = {
            name: datasets.load(recipe.dataset, name, data_dir=data_dir)
            for name in ("train", "validation")
        }
        splits["train"] = splits_lib.evenly_spaced(
            splits["train"], recipe.train_examples
        )
        checks.check_data(splits, recipe)
        return checked, splits

    with (
        Signals() as signals,
        workers.noticing_loss(),
        files.room(workdir, "Make room; the same command goes on."),
    ):
        checked, splits = workers.together(prepare)
        return _Run(
            recipe, checked, strategy, workers, splits, signals
        ).finish()


class _Run:
    """The state of a run between two iterations."""

    def __init__(self, recipe, workdir, strategy, workers, splits, signals):
        self.recipe, self.workdir = recipe, workdir
        self.strategy, self.workers = strategy, workers
        self.splits, self.signals = splits, signals
        self.stopped_by = 0  # the signal that the workers have agreed on
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
        self.average = step_lib.make_sync_batch_norm(strategy, self.model)
        self.variables = checkpoint.variables_by_path(
            self.model, self.optimizer
        )
        self.saver = Saver(
            workdir / workdir_lib.CHECKPOINTS,
            self.variables,
            recipe,
            strategy,
            splits,
        )
        # Sums of steps not yet read from the devices, and totals since the
        # last report and since the last evaluation.
        self.recent = []
        self.totals = {"report": _NO_SUMS, "evaluation": _NO_SUMS}
        self.step, self.rate = 0, self.schedule.learning_rate(0)
        self.metrics = None  # of the last evaluation
        # The last steps at which each was done.
        self.done = {"average": 0, "evaluation": 0, "checkpoint": 0}
        records = workers.together(self._restore)
        workdir_lib.check_same_step(workdir, workers.gather(self.step))
        self.saved = self.step
        workers.together(self._claim)
        workers.together(lambda: workdir_lib.check_shared(workdir, recipe))
        self.reporter = Silence()
        if workers.is_chief:
            self.reporter = Reporter(
                workdir,
                first_step=self.step,
                steps=recipe.steps,
                records=records,
                num_classes=len(splits["train"].class_names),
            )

    def _claim(self):
        if not self.workers.is_chief:
            return
        workdir_lib.claim(self.workdir, self.recipe, self.strategy)
        if self.step < self.recipe.steps:
            self.saver.check()

    def _build(self):
        class_names = self.splits["train"].class_names
        model = build(
            self.recipe.variant,
            classes=len(class_names),
            input_shape=(self.recipe.image_size, self.recipe.image_size, 3),
            dtype=self.recipe.dtype,
            remat=self.recipe.remat,
            **self._pixel_constants(),
            **self.recipe.architecture,
        )
        start.load_and_freeze(model, self.recipe, class_names)
        return model

    def _pixel_constants(self):
        mean, size = self.info.pixel_mean, self.recipe.image_size
        if self.recipe.pixel_mean == "channel":
            return {"pixel_mean": mean, "pixel_std": self.info.pixel_std}
        # Until the image is known. P1 does not divide. BN after the first
        # convolution takes away any scale that the channels have in common,
        # from the function, from the gradients and so from the whole training.
        image = np.broadcast_to(mean, (size, size, 3))
        return {"pixel_mean": image, "pixel_std": (1.0,) * 3}

    def _compute_mean_image(self):
        recipe = self.recipe
        # Weights and checkpoints have it, as a variable of the model.
        if recipe.pixel_mean != "image" or recipe.weights:
            return
        mean = mean_image.of(
            self.splits["train"],
            resize=recipe.eval_resize,
            size=recipe.image_size,
            masked=self.masked.get("train"),
        )
        with self.strategy.scope():
            self.model.get_layer("pixels").mean.assign(mean)

    def _restore(self):
        """Takes back what `_save_checkpoint` saved; returns the records."""
        state, statistics = self.saver.restore()
        limit = recipes.max_masked(self.recipe.on_bad_image)
        self.masked = {}
        if limit:
            known = state["masked"] if state else {}
            self.masked = {
                name: bad_images.MaskedImages(split, limit, known.get(name))
                for name, split in self.splits.items()
            }
        if state is None:
            self._compute_mean_image()
            return []
        same = self.strategy.num_replicas_in_sync
        if statistics is not None and len(statistics) == same:
            replicas.scatter(self.strategy, self.model, statistics)
        self.schedule.restore(state["schedule"])
        self.totals = {n: np.array(t) for n, t in state["totals"].items()}
        self.step, self.rate = state["step"], state["learning_rate"]
        self.done = state["done"]
        if state["metrics"]:
            self.metrics = metrics_lib.Metrics(**state["metrics"])
        return state["records"]

    def finish(self):
        """Runs to the last step; returns the final `Metrics`."""
        try:
            self.signals.wait()
            self._train()
            self.reporter.finish(self._title())
            if self.workers.is_chief:
                self._save_results()
            # The chief's process keeps the others together.
            self.workers.wait()
            return self.metrics
        finally:
            self.reporter.close()

    def _save_results(self):
        results.list_masked(self.workdir, self.masked.values())
        with self.averaged():
            results.save_model(
                self.workdir,
                self.model,
                self.recipe,
                self.splits["train"].class_names,
            )

    def _train(self):
        batches = iter(self._batches())
        # A signal may have cut off what follows the last one.
        self._finish_step(batches)
        while self.step < self.recipe.steps:
            self.rate = self.schedule.learning_rate(self.step)
            self._set_learning_rate(self.rate)
            self.recent.append(self.train_step(self._next(batches)))
            self.step += 1
            self.reporter.step()
            if self.step % self.recipe.log_every_steps == 0:
                self._report()
            self._finish_step(batches)

    def _finish_step(self, batches):
        """What follows an iteration; each is done once in the whole run."""
        recipe = self.recipe
        if self._is_due("evaluation", recipe.eval_every_steps):
            if self.step == recipe.steps and recipe.precise_bn_batches:
                self._recalibrate(batches)
            self._validate()
        cut_off = self._is_due("evaluation", recipe.eval_every_steps)
        stop = cut_off or self._is_asked_to_stop()
        due = self._is_due("checkpoint", recipe.checkpoint_every_steps)
        if due or stop and self.saved != self.step:
            self._save_checkpoint(scheduled=due, last=stop)
        if stop and (cut_off or self.step < recipe.steps):
            raise Interrupted(self.stopped_by, self.step)

    def _is_due(self, what, every):
        if self.step == 0 or self.done[what] == self.step:
            return False
        return self.step == self.recipe.steps or self.step % every == 0

    def _is_asked_to_stop(self):
        """Whether any worker got a signal: all of them stop at one place."""
        if not self.stopped_by:
            self.stopped_by = self.workers.highest(self.signals.received)
        return self.stopped_by != 0

    def _batches(self):
        """Of all iterations to come, and of `_recalibrate` after them."""
        steps = self.recipe.steps + self.recipe.precise_bn_batches
        recipe = dataclasses.replace(self.recipe, steps=steps)
        # The model's own: it may come with --weights.
        fill = self.model.get_layer("pixels").mean_color

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
        self.done["average"] = self.step

    def _set_learning_rate(self, rate):
        held = keras.ops.convert_to_numpy(self.optimizer.learning_rate)
        if held != np.float32(rate):
            self.optimizer.learning_rate = rate

    def _average(self):
        """BN statistics become their means over replicas, once a step."""
        if self.done["average"] != self.step:
            self.average()
            self.done["average"] = self.step

    def _read_sums(self):
        first = self.step - len(self.recent) + 1
        for step, sums in enumerate(self.recent, first):
            sums = np.asarray(sums, np.float64)
            divergence.check_loss(sums[0], step, self.saver.newest)
            # One after the other: a sum of sums would round by the steps at
            # which it was read, and a signal may add one.
            self.totals = {n: t + sums for n, t in self.totals.items()}
        self.recent = []

    def _take(self, name):
        """The metrics of a total, which starts again."""
        self._read_sums()
        metrics = metrics_lib.Metrics.from_sums(self.totals[name])
        self.totals[name] = _NO_SUMS
        return metrics

    def _report(self):
        metrics = self._take("report")
        self.schedule.after_training(metrics.top1_error)
        self.reporter.pace(self.step, self.recipe.batch_size)
        self.reporter.training(self.step, metrics, self.rate)

    def _validate(self):
        """Evaluates and reports; a signal leaves all for the next session."""
        self._read_sums()
        self._average()
        self.reporter.pace(self.step, self.recipe.batch_size)
        with self.averaged():
            metrics = validation.validate(
                self.eval_step,
                self.strategy,
                self.splits["validation"],
                batch_size=self.recipe.batch_size,
                resize=self.recipe.eval_resize,
                size=self.recipe.image_size,
                masked=self.masked.get("validation"),
                stop=self._is_asked_to_stop,
            )
        if metrics is None:
            return
        self.metrics, self.done["evaluation"] = metrics, self.step
        self.schedule.after_evaluation(metrics.top1_error)
        train = self._take("evaluation")
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
                "learning_rate": self.rate,
            }
        )
        self.reporter.restart_clock(self.step)

    def _save_checkpoint(self, *, scheduled, last):
        self._read_sums()
        statistics = None
        if scheduled:
            self._average()
        elif self.done["average"] != self.step:
            # Not for the steps to come: see `replicas`.
            statistics = replicas.gather(self.strategy, self.model)
            self.average()
        divergence.check_variables(self.variables, self.step, self.saver.newest)
        if scheduled:
            self.done["checkpoint"] = self.step
        self.saved = self.step
        if not self.workers.is_chief:
            return
        state = {
            "schedule": self.schedule.state(),
            "learning_rate": self.rate,
            "totals": {n: t.tolist() for n, t in self.totals.items()},
            "done": self.done,
            "metrics": self.metrics and dataclasses.asdict(self.metrics),
            "records": self.reporter.records,
            "masked": {n: m.reasons for n, m in self.masked.items()},
        }
        self.saver.save(
            self.step,
            state,
            statistics=statistics,
            last=last or self.step == self.recipe.steps,
        )
        self.reporter.draw(self._title())
        self.reporter.restart_clock(self.step)

    def _title(self):
        return f"{self.recipe.variant} on {self.recipe.dataset}"
