"""What training minimises, on any Keras backend."""

import keras
import numpy as np

from keras_resnet.data.examples import class_labels
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.training import distillation


def of_recipe(recipe, split):
    """The loss that a recipe asks for.

    Args:
        recipe: `recipes.Recipe`: loss, target_threshold, label_smoothing,
            class_weights and the distillation fields.
        split: the training split, with `labels` and `class_names`.

    Returns:
        As `cross_entropy`; for a multi-label split as `binary_cross_entropy`.
    """
    weights = None
    if recipe.class_weights:
        weights = class_weights(recipe.class_weights, split)
    smoothing, threshold = recipe.label_smoothing, recipe.target_threshold
    if split.multi_label:
        return binary_cross_entropy(smoothing, weights, threshold)
    if recipe.loss == "binary":
        loss = one_against_all(smoothing, threshold)
    else:
        loss = cross_entropy(smoothing)
    if weights is not None:
        loss = _weighted(loss, weights)
    return distillation.distilled(loss, recipe) if recipe.teacher else loss


def _weighted(loss, weights):
    """A loss times its label's weight; for mixed labels, the mean weight."""

    def weighted(logits, batch):
        losses = loss(logits, batch)
        table = keras.ops.convert_to_tensor(weights, losses.dtype)
        weight = keras.ops.take(table, batch["label"])
        if "share" in batch:
            other = keras.ops.take(table, batch["other"])
            weight = other + batch["share"] * (weight - other)
        return weight * losses

    return weighted


def targets(logits, batch):
    """The part of each class in a batch's labels, shaped like the logits.

    Args:
        logits: float (B, K).
        batch: with "label", int32 (B,) or (B, K) of 0 and 1; for mixed images
            also "other" and "share", see `mixing.mix`.
    """

    def parts(label):
        if len(label.shape) == 2:
            return keras.ops.cast(label, logits.dtype)
        return keras.ops.one_hot(label, logits.shape[-1], dtype=logits.dtype)

    label = parts(batch["label"])
    if "share" not in batch:
        return label
    share = keras.ops.cast(batch["share"], logits.dtype)[:, None]
    return share * label + (1 - share) * parts(batch["other"])


def class_weights(choice, split):
    """The factor of each class in the loss.

    For a multi-label split, it applies to the examples that have the label.

    Args:
        choice: "balanced" gives every class the same part of the loss, by
            N / (K * examples of the class). For a multi-label split it gives
            the examples with a label as much as those without, by without /
            with. Or "cat=2,dog=0.5", where other classes have 1.
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
    """Cross-entropy against labels, with a part spread over all classes.

    The target is 1 - label_smoothing for the true class, and on top of that
    label_smoothing / K for each of the K classes.

    References: Szegedy et al. 2016, arXiv 1512.00567, sec. 7.

    Args:
        label_smoothing: float, 0 to 1.

    Returns:
        Function from logits, float (B, K), and a batch as for `targets`, to
        float (B,), nats.
    """

    def sharp(logits, batch):
        if "share" in batch:
            return smooth(logits, batch)
        return keras.losses.sparse_categorical_crossentropy(
            batch["label"], logits, from_logits=True
        )

    def smooth(logits, batch):
        return keras.losses.categorical_crossentropy(
            targets(logits, batch),
            logits,
            from_logits=True,
            label_smoothing=label_smoothing,
        )

    return smooth if label_smoothing else sharp


def binary_cross_entropy(
    label_smoothing=0.0, positive_weights=None, target_threshold=0.0
):
    """Cross-entropy of each label's yes or no, and the mean over labels.

    As in PyTorch's BCEWithLogitsLoss and Keras' BinaryCrossentropy. A logit's
    gradient is a K-th of its gradient for the sum.

    Args:
        label_smoothing: float, 0 to 1; the target is 1 - label_smoothing / 2
            for a label that is there, label_smoothing / 2 for another.
        positive_weights: K floats that multiply the loss of a yes. Default: 1.
        target_threshold: float; targets above it become 1, others 0. 0 leaves
            them as they are.

    Returns:
        Function from logits, float (B, K), and a batch with "label", (B, K) of
        0 and 1, to float (B,), nats.
    """

    def loss(logits, batch):
        there = targets(logits, batch)
        there = there * (1 - label_smoothing) + label_smoothing / 2
        there = _whole(there, target_threshold)
        return _binary(logits, there, positive_weights)

    return loss


def one_against_all(label_smoothing=0.0, target_threshold=0.0):
    """Binary cross-entropy of each class, where an image has one label.

    As `binary_cross_entropy`, but with the smoothing of `cross_entropy`: a
    target of label_smoothing / K for all other classes.

    References: Wightman et al. 2021, arXiv 2110.00476, sec. 2; timm's
    `BinaryCrossEntropy`, its mean over classes.

    Args:
        label_smoothing: float, 0 to 1.
        target_threshold: as for `binary_cross_entropy`.

    Returns:
        As `cross_entropy`.
    """

    def loss(logits, batch):
        target = targets(logits, batch) * (1 - label_smoothing)
        target = target + label_smoothing / logits.shape[-1]
        return _binary(logits, _whole(target, target_threshold))

    return loss


def _whole(target, threshold):
    if not threshold:
        return target
    return keras.ops.cast(target > threshold, target.dtype)


def _binary(logits, there, positive_weights=None):
    missed = there * keras.ops.softplus(-logits)
    if positive_weights is not None:
        missed = missed * keras.ops.cast(positive_weights, logits.dtype)
    invented = (1 - there) * keras.ops.softplus(logits)
    return keras.ops.mean(missed + invented, axis=-1)
