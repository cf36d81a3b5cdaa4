"""The variables of a run on TensorFlow, in TensorFlow's own format."""

import re

import tensorflow as tf

from keras_resnet.errors import require
from keras_resnet.training.checkpoints import checkpoint

_NAME = "variables"


class Variables(dict):
    """{path: tf.Variable} of all that training changes.

    `tf.train.Checkpoint(model=..., optimizer=...)` would number layers and
    leave out the state of Keras' random seeds.
    """

    @classmethod
    def of(cls, model, optimizer):
        """Collects the variables of a model and its optimizer."""
        found = cls()
        for variable in (*model.variables, *optimizer.variables):
            if variable.path in found:
                raise ValueError(f"Two variables are called {variable.path!r}.")
            found[variable.path] = variable.value
        return found

    @property
    def bytes(self):
        """The size of a checkpoint of them, bytes."""
        return sum(v.dtype.size * v.shape.num_elements() for v in self.values())

    def save(self, folder):
        """Writes them.

        Raises:
            OSError: if they cannot be written.
        """
        try:
            _tracked(self).write(str(folder / _NAME))
        except tf.errors.OpError as error:
            raise OSError(str(error).splitlines()[0]) from error

    def load(self, folder):
        """Assigns them the values of a checkpoint that is whole.

        Raises:
            keras_resnet.UsageError: if it is of another network or another
                engine; nothing is assigned.
        """
        require(
            (folder / f"{_NAME}.index").exists(),
            f"{folder} was not written on TensorFlow. Take another --workdir.",
        )
        prefix = str(folder / _NAME)
        held = _shapes(prefix)
        names = checkpoint.held_names(held, self)
        shapes = {names[path]: v.shape.as_list() for path, v in self.items()}
        checkpoint.check_variables(folder, held, shapes)
        named = {names[path]: variable for path, variable in self.items()}
        _tracked(named).read(prefix).assert_consumed()

    def not_finite(self):
        """The path of a variable that is not finite, or None."""
        for path, variable in self.items():
            if variable.dtype.is_floating and not tf.reduce_all(
                tf.math.is_finite(variable)
            ):
                return path
        return None


def _tracked(variables):
    return tf.train.Checkpoint(variables=dict(variables))


def _shapes(prefix):
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    return {
        # TensorFlow writes "/" as ".S" and "." as "..".
        re.sub(r"\.(.)", lambda m: "/" if m[1] == "S" else ".", key[1]): shape
        for name, shape in shapes.items()
        if (key := name.split("/"))[0] == _NAME
    }
