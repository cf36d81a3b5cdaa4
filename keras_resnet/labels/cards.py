"""What is saved beside a model: its class names and evaluation view."""

import dataclasses
import functools
import json
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.labels import class_names as names_lib
from keras_resnet.labels.view import View

LABELS = "labels.txt"
CARD = "card.json"
IMAGENET = pathlib.Path(__file__).with_name("imagenet_classes.txt")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What a user of a model needs beyond its weights.

    Attributes:
        class_names: K names, in the order of the model's outputs, by the rule
            of `class_names`.
        image_size: pixels of the square that the model was evaluated on.
        eval_resize: pixels of the shorter side before the central crop.
        variant: key of `keras_resnet.VARIANTS`, or the model's name.
        dataset: what the model was trained on, as `datasets.load` takes it.
        exif: key of `view.EXIF`, whether photographs are turned upright.
        multi_label: whether the outputs are independent probabilities, of
            labels that do not exclude each other. Then a label is answered
            with yes where its probability is above 0.5.
        outputs: names of the outputs of a network that is no classifier, such
            as "embedding"; it has no class names, and its labels.txt is empty.

    Raises:
        keras_resnet.UsageError: if a value cannot be right.
    """

    class_names: tuple[str, ...]
    image_size: int
    eval_resize: int
    variant: str = ""
    dataset: str = ""
    exif: str = "ignore"
    multi_label: bool = False
    outputs: tuple[str, ...] = ()

    def __post_init__(self):
        # The class is frozen. A list would be no key and not equal to a tuple.
        for name in ("class_names", "outputs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.outputs or self.class_names:
            names_lib.check(self.class_names, "the model")
        View.of(self)  # refuses what cannot work
        for name in ("variant", "dataset"):
            value = getattr(self, name)
            require(
                isinstance(value, str),
                f"{name} must be a text. Received: {name}={value!r}.",
            )
        require(
            isinstance(self.multi_label, bool),
            "multi_label must be true or false. Received: "
            f"multi_label={self.multi_label!r}.",
        )

    @classmethod
    def of_run(cls, recipe, class_names, multi_label=False):
        """The card of what a `recipes.Recipe` trains for these classes."""
        return cls(
            class_names=class_names,
            image_size=View.of(recipe).crop,
            eval_resize=recipe.eval_resize,
            variant=recipe.variant,
            dataset=recipe.dataset,
            exif=recipe.exif,
            multi_label=multi_label,
        )

    def public(self):
        """The card for an export: its data set without the path to it."""
        return dataclasses.replace(self, dataset=without_path(self.dataset))

    def save(self, directory):
        """Writes labels.txt (one name per line) and card.json."""
        for name, text in self.texts().items():
            files.write_text(pathlib.Path(directory) / name, text)

    def texts(self):
        """What `save` writes: {"labels.txt": text, "card.json": text}."""
        fields = dataclasses.asdict(self)
        names = fields.pop("class_names")
        if not self.multi_label:  # as in cards from before this field
            del fields["multi_label"]
        if not self.outputs:
            del fields["outputs"]
        return {
            LABELS: names_lib.text(names),
            CARD: json.dumps(fields, indent=2) + "\n",
        }


def load_card(directory):
    """The `Card` that `Card.save` wrote into a directory.

    Raises:
        keras_resnet.UsageError: if one of the files is missing or damaged.
    """
    directory = pathlib.Path(directory)
    for name in (LABELS, CARD):
        require(
            (directory / name).is_file(),
            f"There is no {name} in {str(directory)!r}: it stands beside "
            "every model that keras-resnet train and keras-resnet export "
            "write.",
        )
    try:
        data = [files.read(directory / name) for name in (LABELS, CARD)]
    except OSError as error:
        raise UsageError(
            f"Cannot read {error.filename!r}: {error.strerror}."
        ) from error
    return card_of(*data, directory)


def card_of(names, fields, where):
    """The `Card` of the two texts that `Card.texts` gave.

    Args:
        names, fields: bytes of labels.txt and of card.json.
        where: what holds both, for the message.

    Raises:
        keras_resnet.UsageError: if one is damaged.
    """
    names = names_lib.lines(names, pathlib.Path(where) / LABELS)
    if names:
        names_lib.check(names, f"{LABELS} of {str(where)!r}")
    try:
        return Card(class_names=names, **files.parse_json(fields))
    except (ValueError, TypeError) as error:
        path = pathlib.Path(where) / CARD
        raise UsageError(f"{str(path)!r} is damaged: {error}") from error


# Sources that are named by a path, see `datasets.load`. A user's source is too
# if its path has a slash.
_BY_PATH = ("folder", "tfrecord", "csv")


def without_path(dataset):
    """`folder:photographs` for `folder:/home/me/photographs?seed=1`."""
    kind, _, path = dataset.partition(":")
    path = re.sub(r"\?\w+=[^/\\]*$", "", path)
    if kind not in _BY_PATH and not re.search(r"[/\\]", path):
        return dataset
    parts = [
        part
        for part in re.split(r"[/\\]", path)
        # A pattern of files is known by its folder.
        if part not in ("", ".", "..") and not re.search(r"[{}*?\[]", part)
    ]
    return ":".join([kind, *parts[-1:]])


def top_classes(
    probabilities: np.ndarray, class_names: Sequence[str], top: int = 5
) -> list[list[tuple[str, float]]]:
    """The most probable classes of each image.

    Args:
        probabilities: float (B, K), NumPy.
        class_names: K names.
        top: int, classes per image, at most K.

    Returns:
        B lists of (class name, probability), most probable first.
    """
    order = (-probabilities).argsort(axis=-1, kind="stable")[:, :top]
    return [
        [(class_names[i], float(row[i])) for i in indices]
        for row, indices in zip(probabilities, order, strict=True)
    ]


@functools.cache
def imagenet_classes():
    """The 1000 classes of ImageNet: (WordNet id, name), in outputs' order."""
    lines = IMAGENET.read_text(encoding="utf-8").splitlines()
    return tuple(
        tuple(line.split()) for line in lines if not line.startswith("#")
    )


def decode_predictions(
    probabilities,
    top: int = 5,
    class_names: Sequence[str] | None = None,
) -> list[list[tuple]]:
    """Names for the most probable classes, as keras.applications does it.

    Args:
        probabilities: (B, K), of any backend.
        top: int, classes per image; all K if it is larger.
        class_names: K names, such as `labels.txt` holds. Default: the names
            of ImageNet, which are in the package.

    Returns:
        B lists of (id, name, probability), most probable first. For ImageNet
        the id is WordNet's: "n02123045" for "tabby". For `class_names` it is
        the class's index.

    Raises:
        keras_resnet.UsageError: if K is not the number of names, or there is
            no batch.
    """
    import keras

    probabilities = np.asarray(keras.ops.convert_to_numpy(probabilities))
    names = imagenet_classes()
    if class_names is not None:
        names = list(enumerate(class_names))
    shape = probabilities.shape
    require(
        len(shape) == 2 and shape[1] == len(names),
        f"probabilities must have the shape (images, {len(names)}): "
        f"{len(names)} are the names. For a model with other classes pass "
        f"class_names. Received: shape {shape}.",
    )
    require(
        isinstance(top, int) and top >= 1,
        f"top must be an int >= 1. Received: top={top!r}.",
    )
    return [
        [(*name, probability) for name, probability in row]
        for row in top_classes(probabilities, names, top)
    ]
