"""A run whose numbers are no longer finite stops and says what to try."""

import numpy as np
import tensorflow as tf

from keras_resnet.errors import DivergedError


def check_loss(loss, step, newest):
    """Raises `DivergedError` if a step's loss is not finite.

    Args:
        loss: float, of the step.
        step, newest: as for `DivergedError`.
    """
    if not np.isfinite(loss):
        raise DivergedError(f"The loss is {loss}", step, newest)


def check_variables(variables, step, newest):
    """Raises `DivergedError` if a variable is not finite.

    The loss of a step is computed before its update: a weight may be infinite
    while all losses so far were finite, and such weights must not be saved.

    Args:
        variables: from `checkpoint.variables_by_path`.
        step, newest: as for `DivergedError`.
    """
    for path, variable in variables.items():
        if variable.dtype.is_floating and not tf.reduce_all(
            tf.math.is_finite(variable)
        ):
            raise DivergedError(f"{path} is not finite", step, newest)
