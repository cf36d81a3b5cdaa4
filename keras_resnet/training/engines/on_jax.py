"""The engine on JAX: one device, all data on it, many iterations a call.

The environment must set KERAS_BACKEND=jax; TensorFlow is not needed. N examples
of S x S pixels, T iterations.
"""

import os
import time

import jax
import jax.numpy as jnp
import jaxlib
import keras
import numpy as np

from keras_resnet.data.stores import arrays
from keras_resnet.errors import require
from keras_resnet.evaluation import metrics
from keras_resnet.networks import outputs
from keras_resnet.training import losses
from keras_resnet.training import mixing
from keras_resnet.training import start
from keras_resnet.training.engines import jax_batches
from keras_resnet.training.engines import jax_step
from keras_resnet.training.engines.engine import Engine
from keras_resnet.training.engines.jax_variables import Variables

_DTYPES = ("float32", "mixed_bfloat16")


class JaxEngine(Engine):
    """Computes on the first device.

    Attributes:
        pace: list of floats, images/s of each call of `train`, including
            earlier sessions on the same device.
        compile_seconds: float, of this session.
    """

    name = "jax"

    def __init__(self):
        super().__init__()
        self.pace, self.compile_seconds = [], 0.0
        self._compiled = {}

    def check(self, recipe):
        require(
            recipe.dtype in _DTYPES,
            f"dtype must be {' or '.join(_DTYPES)} on JAX. Received: "
            f"{recipe.dtype!r}.",
        )
        require(
            recipe.eval_resize == recipe.image_size,
            "eval_resize must be image_size on JAX: images are not cropped. "
            f"Received: {recipe.eval_resize}, {recipe.image_size}.",
        )
        jax_batches.amounts(recipe)

    def load_splits(self, recipe, data_dir):
        splits = {
            name: jax_batches.Split(
                name=f"{recipe.dataset}/{name}",
                **vars(arrays.load(recipe.dataset, name, data_dir)),
            )
            for name in ("train", "validation")
        }
        splits["train"] = arrays.evenly_spaced(
            splits["train"], recipe.train_examples
        )
        return splits

    def build(self, recipe, splits, *, loss=None, optimizer=None):
        self.recipe = recipe
        self._data = {
            name: jax.device_put(
                (
                    jax_batches.resized(split.images, recipe.image_size),
                    split.labels,
                )
            )
            for name, split in splits.items()
        }
        train = splits["train"]
        self.model = start.build_model(
            recipe, train.class_names, train.multi_label
        )
        self._network = outputs.logits(self.model)
        optimizer = (optimizer or start.make_optimizer)(self.model, recipe)
        if not optimizer.built:
            optimizer.build(self._network.trainable_variables)
        self._groups = jax_step.variables(self._network, optimizer)
        self.variables = Variables.of(self._groups)
        self._update = jax_step.make_update(
            self._network,
            optimizer,
            loss or losses.of_recipe(recipe, train),
        )
        self._train = jax.jit(self._iterations, donate_argnums=0)
        self._evaluate = jax.jit(self._evaluation_sums)

    def describe(self):
        return {
            "strategy": f"JAX, {jax.devices()[0].device_kind}",
            "versions": {"keras": keras.__version__, "jax": jax.__version__},
        }

    def environment(self):
        return environment()

    def state(self):
        return {"pace": self.pace}

    def restore(self, state, statistics):
        del statistics
        if state is None:
            start.set_mean_image(self.model, self.recipe, self._mean_image)
        elif state["environment"]["device"] == environment()["device"]:
            self.pace = list(state["pace"])

    def _mean_image(self):
        images, _ = self._data["train"]
        return np.asarray(images).mean(axis=0, dtype=np.float64)

    def begin(self, step):
        # The model's mean colour: padding is zero after the mean is subtracted.
        self._fill = self.model.get_layer("pixels").mean_color
        self._plan = self._plan_from(step)

    def steps_at_once(self, step):
        return len(self._plan.indices)

    def _plan_from(self, first):
        """The plan from `first` to the next report, evaluation or save."""
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
        num_examples = len(self._data["train"][1])
        return jax_batches.plan(num_examples, recipe, first, count)

    def train(self, step, rates):
        count = len(rates)
        rows = (
            self._plan,
            np.array(rates, np.float32),
            np.arange(step, step + count, dtype=np.uint32),
            mixing.draws(self.recipe, step, count),
        )
        state, data = jax_step.state_of(self._groups), self._data["train"]
        run = self._compile(state, data, rows)
        begin = time.perf_counter()
        state, sums = run(state, data, rows)
        # While the device works.
        jax_step.put_back(self._groups, state)
        self._plan = self._plan_from(step + count)
        sums = np.asarray(sums)
        seconds = time.perf_counter() - begin
        self.pace.append(count * self.recipe.batch_size / seconds)
        return sums

    def _compile(self, state, data, rows):
        """The function for this number of iterations, compiled once."""
        count = len(rows[1])
        if count not in self._compiled:
            begin = time.perf_counter()
            lowered = self._train.lower(state, data, rows)
            self._compiled[count] = lowered.compile()
            self.compile_seconds += time.perf_counter() - begin
        return self._compiled[count]

    def _iterations(self, state, data, rows):
        images, labels = data
        recipe = self.recipe

        def iteration(state, row):
            plan, rate, step, numbers = row
            batch = {
                "image": jax_batches.batch(images, plan, recipe, self._fill),
                "label": labels[plan.indices],
                "seed": jax_step.seeds(recipe, step),
            }
            if recipe.mixes:
                batch = mixing.mix(batch, numbers, recipe.mixes)
            state, logits, _ = self._update(state, batch, rate)
            return state, jax_step.batch_sums(logits, batch["label"])

        return jax.lax.scan(iteration, state, rows)

    def evaluate(self, stop):
        del stop  # an evaluation takes only seconds
        trainable, others, _ = jax_step.state_of(self._groups)
        images, labels = self._data["validation"]
        sums, logits = self._evaluate(trainable, others, images, labels)
        sums = np.asarray(sums, np.float64).sum(axis=0)
        rows, number = [], len(labels)
        if logits is not None:
            rows = [np.concatenate(logits)[:number], labels, np.ones(number)]
        return metrics.of_total(sums, rows)

    def _evaluation_sums(self, trainable, others, images, labels):
        size, number = self.recipe.batch_size, len(labels)
        places = np.arange(-(-number // size) * size).reshape(-1, size)

        def of_batch(_, row):
            mine = jnp.minimum(row, number - 1)
            logits, _ = self._network.stateless_call(
                trainable, others, images[mine], training=False
            )
            weights = (row < number).astype(jnp.float32)
            sums = jax_step.batch_sums(logits, labels[mine], weights)
            return None, (sums, logits if labels.ndim == 2 else None)

        return jax.lax.scan(of_batch, None, places)[1]


def environment():
    """What figures and bits depend on, beside the recipe: a dict."""
    return {
        "backend": "jax",
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "device": jax.devices()[0].device_kind,
        "cpus": len(os.sched_getaffinity(0)),
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
    }
