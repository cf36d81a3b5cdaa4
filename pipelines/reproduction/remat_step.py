"""Iterations of one network in a process of its own: memory, time, gradients.

The peak memory of a process never falls, so each network needs a new process.
"""

import dataclasses
import hashlib
import pathlib
import pickle
import tempfile
import time

import keras
import numpy as np
from benchmarks import worker
from benchmarks.runner import Contender

import keras_resnet
from keras_resnet import optimizers
from keras_resnet.networks import outputs


@dataclasses.dataclass(frozen=True)
class Steps:
    """Results of iterations on one batch with unchanged weights.

    Attributes:
        figures: dict of JSON values: "built_megabytes", memory with the
            network built, before the first iteration; "most_megabytes", the
            peak until the first iteration ends; "seconds" and "losses", one
            for each iteration; "drawn", a digest of the weights and images.
        gradients: {path of a variable: float32}, of the first iteration.
        again: the same, of the last iteration.
        statistics: {path: float32}, what is not trained, after the first.
    """

    figures: dict
    gradients: dict
    again: dict
    statistics: dict


def isolated(recipe, folder):
    """`measure` in a new process.

    Args:
        recipe: `recipes.Recipe`.
        folder: pathlib.Path for temporary files.

    Returns:
        `Steps`.

    Raises:
        RuntimeError: if the process dies, with the end of its output.
    """
    with tempfile.TemporaryDirectory(dir=folder) as between:
        given, found = (f"{between}/{name}" for name in ("recipe", "steps"))
        save(given, recipe)
        arguments = {"given": given, "found": found}
        try:
            Contender(f"{__name__}:contender", arguments).begin()
        except RuntimeError as error:
            what = f"{recipe.variant}, remat={recipe.remat}, ended"
            raise RuntimeError(f"{what}: {error}") from error
        return load(found)


def contender(given, found):
    """A contender that is only built: reads a recipe, writes `Steps`."""
    return lambda: save(found, measure(load(given)))


def save(path, value):
    """Hands a value from one process to another."""
    pathlib.Path(path).write_bytes(pickle.dumps(value))


def load(path):
    """What `save` wrote."""
    return pickle.loads(pathlib.Path(path).read_bytes())


def measure(recipe):
    """Trains a network of a recipe on one batch of random pixels.

    An iteration is that of the training step: gradients, then the update of
    weights and momentum. The rate is 0, so all iterations have equal weights.

    Args:
        recipe: `recipes.Recipe`; its `steps` say how many iterations.

    Returns:
        `Steps`.
    """
    import tensorflow as tf

    from keras_resnet.training import gradients as gradients_lib

    keras.utils.set_random_seed(recipe.seed)
    network = outputs.logits(build(recipe))
    variables = network.trainable_variables
    optimizer = optimizers.SGD(0.0, momentum=recipe.momentum)
    optimizer.build(variables)
    gradients_of = gradients_lib.make_gradients(network, optimizer)

    @tf.function
    def step(batch):
        gradients, sums = gradients_of(batch, float(recipe.batch_size))
        optimizer.apply(gradients, variables)
        return gradients, sums[0] / recipe.batch_size

    images, labels = draw(recipe)
    batch = {"image": tf.constant(images), "label": tf.constant(labels)}
    batch["weight"] = tf.ones(recipe.batch_size)
    figures = {
        "drawn": _digest([*map(np.asarray, variables), images, labels]),
        "built_megabytes": worker.megabytes("VmRSS"),
        "seconds": [],
        "losses": [],
    }
    for number in range(recipe.steps):
        start = time.perf_counter()
        tensors, loss = step(batch)
        figures["losses"].append(float(loss))
        figures["seconds"].append(round(time.perf_counter() - start, 2))
        again = _by_path(variables, tensors)
        if number == 0:
            figures["most_megabytes"] = worker.megabytes("VmHWM")
            gradients, statistics = again, _statistics(network)
    return Steps(figures, gradients, again, statistics)


def build(recipe):
    """The network of a recipe, for 10 classes."""
    return keras_resnet.build(
        recipe.variant,
        classes=10,
        input_shape=(recipe.image_size, recipe.image_size, 3),
        dtype=recipe.dtype,
        remat=recipe.remat,
        **recipe.architecture,
    )


def draw(recipe):
    """Random pixels and labels: uint8 (B, S, S, 3) and int32 (B,)."""
    random = np.random.default_rng(recipe.seed)
    size = (recipe.batch_size, recipe.image_size, recipe.image_size, 3)
    pixels = random.integers(0, 256, size, dtype=np.uint8)
    return pixels, random.integers(0, 10, recipe.batch_size, dtype=np.int32)


def _by_path(variables, values):
    pairs = zip(variables, values, strict=True)
    return {variable.path: np.array(value) for variable, value in pairs}


def _statistics(network):
    state = [
        variable
        for variable in network.non_trainable_variables
        if variable.dtype.startswith("float")  # not the seeds of dropout
    ]
    return _by_path(state, state)


def _digest(arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]
