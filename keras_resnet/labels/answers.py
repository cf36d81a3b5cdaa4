"""What a network answers, and whether its card says the same.

A softmax answers with one class, sigmoids with a yes or no to each label. A
network that gives features is no classifier.
"""

from keras_resnet.errors import require
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS


def check_card(card, path, *, num_classes, image_size):
    """Refuses a model that is not the one its card was written for.

    Args:
        card: from the directory of the model.
        path: of the model, for the message.
        num_classes: K, of the model; None if it is no classifier.
        image_size: of the model, or None for images of any size.

    Raises:
        keras_resnet.UsageError: if the two do not go together.
    """
    require(
        num_classes is not None and not card.outputs,
        no_classifier(path, card.outputs),
    )
    require(
        num_classes == len(card.class_names),
        f"{str(path)!r} has {num_classes} classes, the {LABELS} beside it "
        f"{len(card.class_names)} names: they are not of the same model.",
    )
    require(
        image_size in (card.image_size, None),
        f"{str(path)!r} takes images of {image_size} pixels, the {CARD} "
        f"beside it says {card.image_size}: they are not of the same model.",
    )


def no_classifier(path, outputs):
    """The message for a network of features where classes are needed."""
    names = ", ".join(outputs) or "features"
    return (
        f"{str(path)!r} is no classifier: it gives {names}. "
        "keras_resnet.load_predictor(path)(images) has them. To predict, to "
        "evaluate and to explain take the classifier that it was made of; to "
        "export it pass outputs."
    )


def check_head(card, path, multi_label):
    """Refuses a network whose labels are of another kind than its card says.

    Args:
        card, path: as for `check_card`.
        multi_label: whether the network ends in sigmoids.

    Raises:
        keras_resnet.UsageError: if the two do not go together.
    """
    require(
        multi_label == card.multi_label,
        f"{str(path)!r} ends in a {'sigmoid' if multi_label else 'softmax'}, "
        f"the {CARD} beside it says multi_label={card.multi_label}: they are "
        "not of the same model.",
    )


def check_kind(multi_label, split):
    """Refuses a network that answers another kind of question than a split.

    Args:
        multi_label: whether the network's labels do not exclude each other.
        split: `datasets.Split`.

    Raises:
        keras_resnet.UsageError: says which kind each is.
    """
    kinds = {
        False: "one class an image (softmax)",
        True: "any number of labels an image (sigmoid)",
    }
    require(
        multi_label == split.multi_label,
        f"The network answers {kinds[multi_label]}, but {split.name} has "
        f"{kinds[split.multi_label]}: train one on such data.",
    )


def shown_classes(probabilities, card, top=None):
    """The classes to name for one image.

    Args:
        probabilities: float (K,), NumPy.
        card: `Card` of the model.
        top: int, that many of the most probable. Default: 1; for labels that
            do not exclude each other, all above 0.5, but at least 1.

    Returns:
        int (k,): indices, the most probable class first.
    """
    order = (-probabilities).argsort(kind="stable")
    if top is None and card.multi_label:
        top = int((probabilities > 0.5).sum())
    return order[: max(top or 1, 1)]
