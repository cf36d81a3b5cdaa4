"""Which parts of a network do not train, and when the next one begins to.

Howard and Ruder 2018, arXiv 1801.06146, sec. 3.3: unfreeze from the classifier
towards the pixels, so that new layers do not spoil pretrained ones.
"""

import dataclasses

from keras_resnet.errors import require
from keras_resnet.networks import specs
from keras_resnet.recipes.sizes import ascending


def until(recipe, step):
    """The last part that does not train.

    Args:
        recipe: `recipes.Recipe`.
        step: an iteration; `recipe.steps` for the end of the run.

    Returns:
        str: "stem", "stage1" and so on, "head" for all but the classifier, or
        "" if all trains.
    """
    passed = sum(step >= boundary for boundary in recipe.unfreeze_boundaries)
    return _in_turn(recipe)[passed]


def _in_turn(recipe):
    """The values of `until` before any boundary, after the first, and so on."""
    row = specs.VARIANTS[recipe.variant]
    row = dataclasses.replace(row, **recipe.architecture)
    parts = ("", *row.parts)
    count = parts.index(recipe.freeze_until)
    if recipe.freeze_until == parts[-1]:
        count -= 1  # a head has at most a BN: it joins the last stage
    before = parts[:count]
    return (recipe.freeze_until, *reversed(before))


def check(recipe):
    """Raises `UsageError` if the boundaries of a recipe cannot work."""
    boundaries = recipe.unfreeze_boundaries
    if not boundaries:
        return
    require(
        recipe.freeze_until,
        "unfreeze_boundaries end what freeze_until began. Received: "
        f"unfreeze_boundaries={boundaries}, freeze_until=''.",
    )
    ascending("unfreeze_boundaries", boundaries)
    most = len(_in_turn(recipe)) - 1
    require(
        len(boundaries) <= most,
        f"unfreeze_boundaries may be {most} at most: after them all trains. "
        f"Received: {boundaries} for freeze_until={recipe.freeze_until}.",
    )
