"""The iterations of a run on JAX, and what follows them, on the host."""

import json
import time

import jax
import keras
import numpy as np
from reproduction import jax_batches
from reproduction import jax_checkpoint
from reproduction import jax_network
from reproduction import jax_speed
from reproduction import results
from reproduction import training

import keras_resnet
from keras_resnet import files
from keras_resnet.data import catalog
from keras_resnet.errors import DivergedError
from keras_resnet.errors import require
from keras_resnet.labels import cards
from keras_resnet.training.schedules import Schedule
from keras_resnet.training.signals import Interrupted

_SUMS = ("loss", "top1", "top5", "examples")


class Run:
    """The state of a run between two chunks of iterations.

    Args:
        recipe: `recipes.Recipe`.
        workdir: pathlib.Path.
        splits: {"train", "validation": `arrays.Arrays`}.
        say: what takes a line.
    """

    def __init__(self, recipe, workdir, splits, say=print):
        self.recipe, self.workdir, self.say = recipe, workdir, say
        self.class_names = splits["train"].class_names
        pixels = {
            name: jax_batches.resized(split.images, recipe.image_size)
            for name, split in splits.items()
        }
        self.num_examples = len(pixels["train"])
        self.validation = jax.device_put(
            (pixels["validation"], splits["validation"].labels)
        )
        self.network = jax_network.Network(
            build(recipe, len(self.class_names), pixels["train"]),
            recipe,
            pixels["train"],
            splits["train"].labels,
        )
        self.schedule = Schedule(recipe)
        self.step, self.records, self.pace = 0, [], []
        self.totals = {"report": _zeros(), "evaluation": _zeros()}
        self._restore()

    def _restore(self):
        held = jax_checkpoint.load(
            self.workdir, self.network.paths, self.network.state
        )
        if held is None:
            return
        self.network.state, facts = held
        require(
            results.is_of(facts, self.recipe),
            f"{self.workdir} holds a run of another recipe. Take another "
            "--workdir, or delete this one.",
        )
        self.schedule.restore(facts["schedule"])
        self.totals = {n: np.array(t) for n, t in facts["totals"].items()}
        self.step, self.records = facts["step"], facts["records"]
        if facts["device"] == jax_speed.environment()["device"]:
            self.pace = facts["pace"]

    def finish(self, signals):
        """Runs to the last step, then writes the model."""
        self._write_records()
        plan = self._plan(self.step)
        while self.step < self.recipe.steps:
            plan = self._chunk(plan)
            if signals.received and self.step < self.recipe.steps:
                self._save()
                raise Interrupted(signals.received, self.step)
        self._save_model()

    def _plan(self, first):
        """Of the iterations from `first` to the next that is followed."""
        recipe = self.recipe
        ends = [
            (first // every + 1) * every
            for every in (
                recipe.log_every_steps,
                recipe.eval_every_steps,
                recipe.checkpoint_every_steps,
            )
        ]
        count = min(*ends, recipe.steps) - first
        if count <= 0:
            return None
        return jax_batches.plan(self.num_examples, recipe, first, count)

    def _chunk(self, plan):
        """Takes the iterations of a plan; returns the plan of the next."""
        count = len(plan.indices)
        rates = [
            self.schedule.learning_rate(self.step + i) for i in range(count)
        ]
        self.network.compile(plan)
        start = time.perf_counter()
        sums = self.network.train(plan, np.array(rates, np.float32))
        # While the device works.
        following = self._plan(self.step + count)
        sums = np.asarray(sums, np.float64)
        seconds = time.perf_counter() - start
        self.pace.append(count * self.recipe.batch_size / seconds)
        self._add(sums)
        self.step += count
        self._follow(rates[-1])
        return following

    def _add(self, sums):
        for step, of_one in enumerate(sums, self.step + 1):
            if not np.isfinite(of_one[0]):
                raise DivergedError(
                    f"The loss is {of_one[0]}", step, self._newest
                )
            self.totals = {n: t + of_one for n, t in self.totals.items()}

    def _newest(self):
        if not (self.workdir / jax_checkpoint.NAME).exists():
            return "There is no checkpoint."
        return "The checkpoint is of a step before."

    def _follow(self, rate):
        """Report, evaluation and checkpoint, in the loop's order."""
        recipe, step = self.recipe, self.step
        last = step == recipe.steps
        if step % recipe.log_every_steps == 0:
            train = self._take("report")
            self.schedule.after_training(1 - train["top1"])
        if last or step % recipe.eval_every_steps == 0:
            self._evaluate(rate)
        if last or step % recipe.checkpoint_every_steps == 0:
            self._save()

    def _take(self, name):
        means = _means(self.totals[name])
        self.totals[name] = _zeros()
        return means

    def _evaluate(self, rate):
        test = _means(self.network.evaluate(*self.validation))
        self.schedule.after_evaluation(1 - test["top1"])
        train = self._take("evaluation")
        images = self.step * self.recipe.batch_size
        self.records.append(
            {
                "step": self.step,
                "epoch": images / self.num_examples,
                "train_loss": train["loss"],
                "train_top1_accuracy": train["top1"],
                "validation_loss": test["loss"],
                "top1_accuracy": test["top1"],
                "top5_accuracy": test["top5"],
                "learning_rate": rate,
            }
        )
        self._write_records()
        self.say(
            f"step {self.step:>6}/{self.recipe.steps}  train error "
            f"{1 - train['top1']:.2%}  test error {1 - test['top1']:.2%}  "
            f"learning rate {rate:g}  {self.pace[-1]:,.0f} images/s"
        )

    def _write_records(self):
        lines = [json.dumps(record) + "\n" for record in self.records]
        files.write_text(self.workdir / training.METRICS, "".join(lines))

    def _save(self):
        network = self.network
        state = jax.device_get(network.state)
        for paths, values in zip(network.paths, state, strict=True):
            for path, value in zip(paths, values, strict=True):
                if not np.isfinite(value).all():
                    raise DivergedError(
                        f"{path} is not finite", self.step, self._newest
                    )
        facts = {
            "recipe": results.plain(self.recipe),
            "step": self.step,
            "schedule": self.schedule.state(),
            "totals": {n: t.tolist() for n, t in self.totals.items()},
            "records": self.records,
            "pace": self.pace,
            "device": jax_speed.environment()["device"],
        }
        jax_checkpoint.save(self.workdir, network.paths, state, facts)

    def _save_model(self):
        """Writes labels.txt, card.json and, last, model.keras."""
        cards.Card.of_run(self.recipe, self.class_names).save(self.workdir)
        self.network.put_back()
        with files.replacing(self.workdir / training.MODEL) as path:
            self.network.model.save(path)


def build(recipe, classes, images=None):
    """The network of a recipe, with the weights of its seed.

    Those of convolutions are TensorFlow's; the classifier's are drawn by
    Keras, which has other numbers on each backend.

    Args:
        recipe: `recipes.Recipe`.
        classes: int.
        images: uint8 (N, S, S, 3), the training split's, for
            `pixel_mean="image"`.
    """
    keras.utils.set_random_seed(recipe.seed)
    info = catalog.info(recipe.dataset)
    mean, std = info.pixel_mean, info.pixel_std
    if recipe.pixel_mean == "image":  # as `training.loop` does, and why there
        mean, std = images.mean(axis=0, dtype="float64"), (1.0,) * 3
    return keras_resnet.build(
        recipe.variant,
        classes=classes,
        input_shape=(recipe.image_size, recipe.image_size, 3),
        dtype=recipe.dtype,
        remat=recipe.remat,
        pixel_mean=mean,
        pixel_std=std,
        **recipe.architecture,
    )


def _zeros():
    return np.zeros(len(_SUMS))


def _means(sums):
    """{"loss", "top1", "top5"}: the last two are accuracies, 0 to 1."""
    *totals, examples = (float(total) for total in sums)
    return {
        name: total / max(examples, 1.0)
        for name, total in zip(_SUMS, totals, strict=False)
    }
