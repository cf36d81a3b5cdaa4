"""`predict`: the classes of pictures, by a network of any format."""

import dataclasses
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_resnet.errors import require
from keras_resnet.inference import opening
from keras_resnet.labels import html
from keras_resnet.labels.answers import shown_classes
from keras_resnet.labels.view import View

if TYPE_CHECKING:
    import keras

_TOP = 5  # classes named for a picture


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Prediction:
    """What a network says of a picture.

    Attributes:
        file: path of the picture; "image 0" for one in memory.
        top: (class name, probability) of the most probable classes, the most
            probable first.
        multi_label: whether the classes do not exclude each other; the answer
            is then yes to those above 50 %.
        milliseconds: wall time of the network; the first call compiles it.
    """

    file: str
    top: tuple[tuple[str, float], ...]
    multi_label: bool = False
    milliseconds: float = dataclasses.field(compare=False)

    @property
    def class_name(self) -> str:
        """The most probable class."""
        return self.top[0][0]

    @property
    def probability(self) -> float:
        """The probability of the most probable class, 0..1."""
        return self.top[0][1]

    def __repr__(self):
        return (
            f"<Prediction {self.file}: {self.class_name} "
            f"{self.probability:.2%}>"
        )

    def _repr_html_(self):
        rows = {name: f"{probability:.2%}" for name, probability in self.top}
        return html.table(self.file, rows)


def predict(
    model: "keras.Model | str | os.PathLike",
    pictures: Any,
    *,
    top: int | None = None,
    view: View | None = None,
    class_names: Sequence[str] | None = None,
) -> list[Prediction]:
    """Classifies pictures, each by itself.

    Args:
        model: a `keras.Model`, the folder of a run, a repository of the hub
            ("hf://timm/resnet50.a1_in1k"), or the path of a .keras, .tflite
            or .onnx file or of a SavedModel.
        pictures: one or several of: paths of image files or of folders of
            them, PIL images, uint8 arrays (H, W, 3).
        top: int >= 1, classes of a picture, at most all. Default: 5; for labels
            that do not exclude each other, all above 50 %, at least one.
        view: `View` of a picture that the network sees. Default: the view of
            the card beside or on the model; without a card, see
            `opening.open_keras`.
        class_names: for a model in memory that has no card, in the order of
            its outputs.

    Returns:
        list of `Prediction`, one for each picture, in order.

    Raises:
        keras_resnet.UsageError: if the model or a picture cannot be read, or
            what the model sees is not known.

    Example:

    >>> predict("exported/model.tflite", ["cat.jpg"])[0].class_name
    """
    from keras_resnet.inference import pictures as pictures_lib

    require(
        top is None or (isinstance(top, int) and top >= 1),
        f"top must be an int >= 1. Received: top={top!r}.",
    )
    named = pictures_lib.named(pictures)
    network, card = opening.open_predictor(
        model, view=view, class_names=class_names
    )
    require(
        view is None or not network.resizes,
        "This SavedModel makes its view of a picture itself. Received: "
        f"view={view}.",
    )
    if top is None and not card.multi_label:
        top = _TOP
    seen = [
        pictures_lib.read_whole(picture, card.exif)
        if network.resizes
        else pictures_lib.read(picture, View.of(card))
        for _, picture in named
    ]
    found = []
    for (name, _), pixels in zip(named, seen, strict=True):
        start = time.perf_counter()
        (probabilities,) = network.predict(pixels[np.newaxis])
        milliseconds = 1000 * (time.perf_counter() - start)
        best = [
            (card.class_names[index], float(probabilities[index]))
            for index in shown_classes(probabilities, card, top)
        ]
        found.append(
            Prediction(
                file=name,
                top=tuple(best),
                multi_label=card.multi_label,
                milliseconds=milliseconds,
            )
        )
    return found
