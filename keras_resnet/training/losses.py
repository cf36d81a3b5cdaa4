"""What training minimises, on any Keras backend."""

import keras
import numpy as np

from keras_resnet.data.examples import class_labels
from keras_resnet.errors import lookup
from keras_resnet.errors import require


def of_recipe(recipe, split):
    """The loss that a recipe asks for.

    Args:
        recipe: `recipes.Recipe`: label_smoothing and class_weights.
        split: what is trained on, with `labels` and `class_names`.

    Returns:
        As `cross_entropy`; for a multi-label split as `binary_cross_entropy`.
    """
    if split.multi_label:
        return binary_cross_entropy(
            recipe.label_smoothing,
            class_weights(recipe.class_weights, split)
            if recipe.class_weights
            else None,
        )
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

    Of a multi-label split, the loss of the examples that have the label.

    Args:
        choice: "balanced" gives every class the same part of the loss, by
            N / (K * examples of the class); with many labels an example, it
            gives those that have a label as much as the others, by others /
            those. Or "cat=2,dog=0.5", where others have 1.
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
        counts = class_labels.counts(split.labels, len(names))
        counts, total = np.maximum(counts, 1), len(split.labels)
        if split.multi_label:
            return np.maximum(total - counts, 1) / counts
        return total / (len(names) * counts)
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


def binary_cross_entropy(label_smoothing=0.0, positive_weights=None):
    """Cross-entropy of each label's yes or no, and the mean over labels.

    As PyTorch's BCEWithLogitsLoss and Keras' BinaryCrossentropy have it; a
    logit's gradient is a K-th of that of the sum.

    Args:
        label_smoothing: float, 0 to 1; the target is 1 - label_smoothing / 2
            for a label that is there, label_smoothing / 2 for another.
        positive_weights: K floats that multiply the loss of a yes. Default: 1.

    Returns:
        Function from logits, float (B, K), and a batch with "label", (B, K) of
        0 and 1, to float (B,), nats.
    """

    def loss(logits, batch):
        there = keras.ops.cast(batch["label"], logits.dtype)
        there = there * (1 - label_smoothing) + label_smoothing / 2
        missed = there * keras.ops.softplus(-logits)
        if positive_weights is not None:
            missed = missed * keras.ops.cast(positive_weights, logits.dtype)
        invented = (1 - there) * keras.ops.softplus(logits)
        return keras.ops.mean(missed + invented, axis=-1)

    return loss
