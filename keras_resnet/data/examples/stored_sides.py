"""Refuses crops that need more pixels than were left when pictures were stored.

Such a crop would be enlarged silently.
"""

from keras_resnet.errors import require


def check(split, **sides):
    """Refuses sides that are longer than what was stored.

    Args:
        split: `Split`.
        **sides: name of a field: int, pixels of a shorter side.

    Raises:
        keras_resnet.UsageError: if one is longer.
    """
    stored = split.shorter_side
    for name, side in sides.items():
        require(
            stored is None or side <= stored,
            f"{split.name} holds pictures that `data prepare "
            f"--shorter_side={stored}` shrank: more pixels than that are lost. "
            f"Prepare them with a larger one, or lower {name}. Received: "
            f"{name}={side}.",
        )
