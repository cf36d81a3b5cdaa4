"""The variables of a run on JAX, as one .npz file in a checkpoint."""

import jax.numpy as jnp
import numpy as np

from keras_resnet.errors import require
from keras_resnet.training.checkpoints import checkpoint

_NAME = "variables.npz"


class Variables(dict):
    """{path: keras.Variable} of all that training changes."""

    @classmethod
    def of(cls, groups):
        """Collects the variables of `jax_step.variables`."""
        variables = [variable for group in groups for variable in group]
        found = cls((variable.path, variable) for variable in variables)
        if len(found) < len(variables):
            raise ValueError(f"Two variables have one path: {[*found]}.")
        return found

    @property
    def bytes(self):
        """The size of a checkpoint of them, bytes."""
        return sum(variable.value.nbytes for variable in self.values())

    def save(self, folder):
        """Writes them."""
        arrays = {path: np.asarray(v.value) for path, v in self.items()}
        np.savez(folder / _NAME, **arrays)

    def load(self, folder):
        """Assigns them the values of a checkpoint that is whole.

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
        shapes = {path: list(value.shape) for path, value in held.items()}
        names = checkpoint.held_names(held, self)
        wanted = {names[path]: list(v.shape) for path, v in self.items()}
        checkpoint.check_variables(folder, shapes, wanted)
        for path, variable in self.items():
            # A step donates it, so it must be the device's own memory.
            variable.assign(jnp.array(held[names[path]], copy=True))

    def not_finite(self):
        """The path of a variable that is not finite, or None."""
        for path, variable in self.items():
            if not np.isfinite(np.asarray(variable.value)).all():
                return path
        return None
