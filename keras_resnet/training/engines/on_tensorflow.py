"""The engine on TensorFlow: one device, several, or many workers."""

import dataclasses
import functools
import itertools

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import graphs
from keras_resnet.data.examples import order
from keras_resnet.data.examples import shares
from keras_resnet.data.examples import splits as splits_lib
from keras_resnet.data.pixels import augmentations
from keras_resnet.errors import require
from keras_resnet.labels.view import View
from keras_resnet.networks import execution
from keras_resnet.recipes import freezing
from keras_resnet.recipes import sizes
from keras_resnet.training import batch_norm
from keras_resnet.training import distillation
from keras_resnet.training import distribution
from keras_resnet.training import ema
from keras_resnet.training import environment
from keras_resnet.training import final_files
from keras_resnet.training import losses
from keras_resnet.training import mean_image
from keras_resnet.training import mixing
from keras_resnet.training import precise_bn
from keras_resnet.training import start
from keras_resnet.training import step as step_lib
from keras_resnet.training import validation
from keras_resnet.training.engines.engine import Engine
from keras_resnet.training.engines.tensorflow_variables import Variables
from keras_resnet.training.tensorboard import TensorBoard
from keras_resnet.training.workers import Workers


class TensorFlowEngine(Engine):
    """Computes on the devices of a strategy.

    Args:
        strategy: `tf.distribute.Strategy`. Default: one device.
    """

    name = "tensorflow"

    def __init__(self, strategy=None):
        super().__init__()
        execution.require_tensorflow("Training")
        self.strategy = strategy or distribution.make_strategy("one_device")
        self.workers = Workers(self.strategy)
        self.masked = {}
        self._frozen_until = None  # of the current training step, if any

    def check(self, recipe):
        augmentations.augmentation(recipe.augmentation)
        distribution.check(recipe, self.strategy)
        require(
            self.workers.count == 1
            or not recipes.max_masked(recipe.on_bad_image),
            "--on_bad_image=mask:N counts the images of one process, so it "
            "cannot work with --strategy=multi_worker. Find them first with "
            "keras-resnet data validate, and remove them.",
        )

    def load_splits(self, recipe, data_dir):
        train, validation = (
            datasets.load(recipe.dataset, name, data_dir=data_dir)
            for name in ("train", "validation")
        )
        train = splits_lib.evenly_spaced(train, recipe.train_examples)
        if recipe.holdout_examples:
            train, validation = (
                splits_lib.select(train, indices)
                for indices in order.set_aside(
                    train.name, train.num_examples, recipe.holdout_examples
                )
            )
        return {"train": train, "validation": validation}

    def build(self, recipe, splits, *, loss=None, optimizer=None):
        self.recipe, self.splits = recipe, splits
        strategy = self.strategy
        with strategy.scope():
            train = splits["train"]
            self.model = start.build_model(
                recipe, train.class_names, train.multi_label
            )
            make_optimizer = optimizer or start.make_optimizer
            self.optimizer = make_optimizer(self.model, recipe)
            if not self.optimizer.built:
                self.optimizer.build(self.model.trainable_variables)
            teacher = distillation.load(recipe, self.model, train.class_names)
        self._make_train_step = functools.partial(
            step_lib.make_train_step,
            strategy,
            self.model,
            self.optimizer,
            loss=loss or losses.of_recipe(recipe, splits["train"]),
            seed=recipe.seed,
            gradient_accumulation_steps=recipe.gradient_accumulation_steps,
            jit_compile=recipe.jit_compile,
            mixes=recipe.mixes,
            teacher=teacher,
        )
        self._eval_step = step_lib.make_eval_step(strategy, self.model)
        self._with_ema = ema.make_with_ema_weights(strategy, self.optimizer)
        self.variables = Variables.of(self.model, self.optimizer)

    def _unfreeze(self, step):
        """Prepares a step and those after it, until the next part unfreezes."""
        until = freezing.until(self.recipe, step)
        if until == self._frozen_until:
            return
        self._frozen_until = until
        start.freeze(self.model, self.recipe, step)
        self._train_step = self._make_train_step()
        self._sync = batch_norm.make_sync(self.strategy, self.model)

    def describe(self):
        return {
            "strategy": distribution.describe(self.strategy),
            "versions": {
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            },
        }

    def environment(self):
        return environment.describe(self.strategy)

    def tensorboard(self, folder):
        return TensorBoard(folder)

    def state(self):
        return {"masked": {n: m.reasons for n, m in self.masked.items()}}

    def restore(self, state, statistics):
        limit = recipes.max_masked(self.recipe.on_bad_image)
        if limit:
            known = state["masked"] if state else {}
            self.masked = {
                name: bad_images.MaskedImages(split, limit, known.get(name))
                for name, split in self.splits.items()
            }
        if state is None:
            with self.strategy.scope():
                start.set_mean_image(self.model, self.recipe, self._mean_image)
        # Freeze as at the step before: the statistics are of what trained then.
        self._unfreeze(max(0, state["step"] - 1) if state else 0)
        replicas = self.strategy.num_replicas_in_sync
        if statistics is not None and len(statistics) == replicas:
            batch_norm.scatter(self.strategy, self.model, statistics)

    def _mean_image(self):
        return mean_image.compute(
            self.splits["train"],
            View.of(self.recipe),
            masked=self.masked.get("train"),
        )

    def begin(self, step):
        """Reads batches of all iterations, and of `recalibrate` after them."""
        steps = self.recipe.steps + self.recipe.precise_bn_batches
        recipe = dataclasses.replace(self.recipe, steps=steps)
        # Each dataset has one image size; the next starts when it ends.
        self._batches = itertools.chain.from_iterable(
            self._read(stage, max(step, first), end)
            for first, end, stage in sizes.stages(recipe)
            if end > step
        )

    def _read(self, recipe, first, end):
        """Distributed batches of iterations `first` to `end` - 1."""

        def make(context):
            return pipeline.train_dataset(
                self.splits["train"],
                dataclasses.replace(recipe, steps=end),
                # The model's mean colour, which may come with --weights.
                fill=self.model.get_layer("pixels").mean_color,
                first_step=first,
                masked=self.masked.get("train"),
                context=context,
            )

        return shares.distribute(self.strategy, make, end - first)

    def _next(self, step):
        """The batch of a step, which must be the next one."""
        try:
            batch = next(self._batches)
        except graphs.READ_ERRORS as error:
            split = self.splits["train"]
            indices, _ = order.positions(split, self.recipe, step)
            raise bad_images.blame(split, indices, error) from error
        if self.masked:
            self.masked["train"].check()
        return batch

    def train(self, step, rates):
        (rate,) = rates
        self._unfreeze(step)
        held = keras.ops.convert_to_numpy(self.optimizer.learning_rate)
        if held != np.float32(rate):
            self.optimizer.learning_rate = rate
        batch = {**self._next(step), "step": tf.constant(step, tf.int64)}
        if self.recipe.mixes:
            batch["mix"] = tf.constant(mixing.draw(self.recipe, step))
        return self._train_step(batch)

    @functools.cached_property
    def _validation(self):
        """Arguments of `validate`: traced once, read at every evaluation."""
        split = self.splits["validation"]
        choices = {
            "batch_size": self.recipe.batch_size,
            "masked": self.masked.get("validation"),
        }
        batches = validation.distribute(
            self.strategy, split, View.of(self.recipe), **choices
        )
        return {"batches": batches, "split": split, **choices}

    def evaluate(self, stop):
        return validation.validate(
            self._eval_step, **self._validation, stop=stop
        )

    def recalibrate(self, step):
        count = self.recipe.precise_bn_batches
        with self.with_ema_weights():
            precise_bn.recalibrate(
                self.model,
                (self._next(step + i) for i in range(count)),
                strategy=self.strategy,
                parts=self.recipe.gradient_accumulation_steps,
            )

    def with_ema_weights(self):
        return self._with_ema()

    def sync_batch_norm(self):
        self._sync()

    def gather_statistics(self):
        return batch_norm.gather(self.strategy, self.model)

    def list_masked(self, workdir):
        final_files.list_masked(workdir, self.masked.values())
