"""The last steps of a training image: a policy's operations, then erasing."""

from keras_resnet.data.pixels import erasing
from keras_resnet.data.pixels import policies

# Names of numbers that no augmentation may use.
TAKEN = dict.fromkeys(("policy", "erasing"), "a recipe's")


def counts(recipe):
    """{name: how many uniform numbers} of the steps that a recipe asks for."""
    numbers = policies.number(recipe), erasing.DRAWS if recipe.erasing else 0
    return {n: count for n, count in zip(TAKEN, numbers, strict=True) if count}


def apply(pixels, draws, recipe, fill):
    """What a recipe's policy and erasing make of an image.

    Args:
        pixels: uint8 (S, S, 3).
        draws: {name: float32 (count,), uniform}, of `counts`.
        recipe: `recipes.Recipe`: policy and its numbers, erasing.
        fill: 3 floats, the mean colour.

    Returns:
        uint8 (S, S, 3).
    """
    if recipe.policy:
        pixels = policies.apply(pixels, draws["policy"], recipe, fill)
    if recipe.erasing:
        pixels = erasing.apply(pixels, draws["erasing"], recipe.erasing, fill)
    return pixels
