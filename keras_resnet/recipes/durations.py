"""How long a run is: iterations, epochs or examples, whichever is given."""

import math

from keras_resnet.errors import require


def to_steps(
    *, batch_size, num_examples, steps=None, epochs=None, examples=None
):
    """The iterations of a run, rounded up.

    Args:
        batch_size: images an iteration.
        num_examples: of an epoch.
        steps, epochs, examples: numbers > 0; exactly one is given. Epochs may
            be fractional.

    Returns:
        int >= 1.

    Raises:
        keras_resnet.UsageError: if not exactly one is given, or it is not a
            finite number above 0.
    """
    given = {"steps": steps, "epochs": epochs, "examples": examples}
    given = {name: n for name, n in given.items() if n is not None}
    require(
        len(given) == 1,
        "A run takes one of steps, epochs and examples. "
        f"Received: {given or 'none'}.",
    )
    ((name, number),) = given.items()
    require(
        isinstance(number, (int, float))
        and not isinstance(number, bool)
        and 0 < number < math.inf,
        f"{name} must be a number > 0. Received: {number!r}.",
    )
    images = {"steps": batch_size, "epochs": num_examples, "examples": 1}
    # Ignore a billionth of a step, so that 3 * 0.1 epochs are not one more.
    return max(1, math.ceil(number * images[name] / batch_size - 1e-9))
