"""Whether a network's labels exclude each other, and what it answers then.

A softmax answers with one class, sigmoids with a yes or no to each label.
"""

from keras_resnet.errors import require
from keras_resnet.labels.cards import CARD


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
        keras_resnet.UsageError: says of which kind both are.
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
    """The classes to name of one image.

    Args:
        probabilities: float (K,), NumPy.
        card: `Card` of the model.
        top: int, that many of the most probable. Default: 1; of labels that
            do not exclude each other all above 0.5, but at least 1.

    Returns:
        int (k,): indices, the most probable class first.
    """
    order = (-probabilities).argsort(kind="stable")
    if top is None and card.multi_label:
        top = int((probabilities > 0.5).sum())
    return order[: max(top or 1, 1)]
