"""The variables of a run on JAX, as one .npz file in a checkpoint."""

import jax
import jax.numpy as jnp
import numpy as np

from keras_resnet.errors import require
from keras_resnet.training.checkpoints import checkpoint
from keras_resnet.training.engines import jax_step

_NAME = "variables.npz"


class Variables:
    """All that training changes: in Keras' variables, or on its way.

    A compiled step takes arrays over and gives new ones. While training goes
    on, Keras' variables hold arrays that are gone.

    Args:
        network: `keras.Model` up to the logits.
        optimizer: `keras.optimizers.Optimizer`; it is built.

    Attributes:
        arrays: the state of `jax_step`, after `take`.
    """

    def __init__(self, network, optimizer):
        optimizer.build(network.trainable_variables)
        self._groups = jax_step.variables(network, optimizer)
        self.arrays = None

    def take(self):
        """The arrays become those of Keras' variables."""
        self.arrays = tuple(
            [variable.value for variable in group] for group in self._groups
        )

    def put_back(self):
        """Keras' variables become the arrays."""
        for group, values in zip(self._groups, self.arrays, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    def _flat(self):
        return [variable for group in self._groups for variable in group]

    def _named(self):
        """{path: array}."""
        values = [value for group in self.arrays for value in group]
        paths = [variable.path for variable in self._flat()]
        if len(set(paths)) < len(paths):
            raise ValueError(f"Two variables have one path: {paths}.")
        return dict(zip(paths, values, strict=True))

    @property
    def bytes(self):
        """How many bytes a checkpoint of them has."""
        return sum(
            int(np.prod(v.shape)) * jnp.dtype(v.dtype).itemsize
            for v in self._flat()
        )

    def save(self, folder):
        """Writes them."""
        np.savez(folder / _NAME, **jax.device_get(self._named()))

    def load(self, folder):
        """Gives Keras' variables the values of a checkpoint that is whole.

        Raises:
            keras_resnet.UsageError: if it is of another network or another
                engine; nothing is assigned.
        """
        require(
            (folder / _NAME).exists(),
            f"{folder} was not written on JAX. Take another --workdir.",
        )
        with np.load(folder / _NAME, allow_pickle=False) as file:
            held = {path: file[path] for path in file.files}
        wanted = {v.path: list(v.shape) for v in self._flat()}
        shapes = {path: list(value.shape) for path, value in held.items()}
        checkpoint.check_variables(folder, shapes, wanted)
        for variable in self._flat():
            # A step takes it over: it must be the device's own memory.
            variable.assign(jnp.array(held[variable.path], copy=True))

    def not_finite(self):
        """The path of one that is not finite, or None."""
        for path, value in jax.device_get(self._named()).items():
            if not np.isfinite(value).all():
                return path
        return None
