"""What training minimises, on any Keras backend."""

import keras
import numpy as np

from keras_resnet.errors import lookup
from keras_resnet.errors import require


def of_recipe(recipe, split):
    """The loss that a recipe asks for.

    Args:
        recipe: `recipes.Recipe`: label_smoothing and class_weights.
        split: what is trained on, with `labels` and `class_names`.

    Returns:
        As `cross_entropy`.
    """
    loss = cross_entropy(recipe.label_smoothing)
    if not recipe.class_weights:
        return loss
    weights = class_weights(recipe.class_weights, split)

    def weighted(logits, batch):
        losses = loss(logits, batch)
        table = keras.ops.convert_to_tensor(weights, losses.dtype)
        return keras.ops.take(table, batch["label"]) * losses

    return weighted


def class_weights(choice, split):
    """What the loss of each class is multiplied by.

    Args:
        choice: "balanced" for N / (K * examples of the class), which gives
            every class the same part of the loss; or "cat=2,dog=0.5", where
            others have 1.
        split: with `labels` and `class_names`.

    Returns:
        float64 (K,).

    Raises:
        keras_resnet.UsageError: if a class is unknown, a weight is not a
            number >= 0, or the examples' classes are not known.
    """
    names = split.class_names
    if choice == "balanced":
        require(
            split.labels is not None,
            "class_weights=balanced counts the examples of each class, which "
            "only reading all of these data would tell. Give a table, as in "
            f"class_weights={names[0]}=2.",
        )
        counts = np.bincount(split.labels, minlength=len(names))
        return len(split.labels) / (len(names) * np.maximum(counts, 1))
    weights = np.ones(len(names))
    indices = {name: index for index, name in enumerate(names)}
    for word in choice.split(","):
        name, _, text = word.rpartition("=")
        index = lookup(indices, name.strip(), "class")
        weights[index] = _number(text, word)
    return weights


def _number(text, word):
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    require(
        0 <= value < float("inf"),
        "A class weight must be a number >= 0, as in class_weights=cat=2,"
        f"dog=0.5. Received: {word!r}.",
    )
    return value


def cross_entropy(label_smoothing=0.0):
    """Cross-entropy against labels, of which a part goes to all classes.

    The target is 1 - label_smoothing for the true class, and on top of that
    label_smoothing / K for each of the K classes.

    References: Szegedy et al. 2016, arXiv 1512.00567, sec. 7.

    Args:
        label_smoothing: float, 0 to 1.

    Returns:
        Function from logits, float (B, K), and a batch with "label", int32
        (B,), to float (B,), nats.
    """

    def sharp(logits, batch):
        return keras.losses.sparse_categorical_crossentropy(
            batch["label"], logits, from_logits=True
        )

    def smooth(logits, batch):
        classes = logits.shape[-1]
        return keras.losses.categorical_crossentropy(
            keras.ops.one_hot(batch["label"], classes, dtype=logits.dtype),
            logits,
            from_logits=True,
            label_smoothing=label_smoothing,
        )

    return smooth if label_smoothing else sharp
