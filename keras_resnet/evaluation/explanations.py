"""`explain`: where in a picture a network sees a class, to keep or to show."""

import dataclasses
import io
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_resnet import files
from keras_resnet.errors import lookup
from keras_resnet.evaluation import explain as grad_cam_lib
from keras_resnet.inference import opening
from keras_resnet.inference import pictures
from keras_resnet.labels.answers import shown_classes
from keras_resnet.labels.view import View


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """Where a network sees one class.

    Attributes:
        class_name: of the class.
        probability: that the network gives it, 0..1.
        heat: float32 (S, S) in [0, 1], by `grad_cam`, over the view.
    """

    class_name: str
    probability: float
    heat: np.ndarray = dataclasses.field(repr=False)

    @property
    def title(self) -> str:
        """The name and the probability."""
        return f"{self.class_name}  {self.probability:.1%}"


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Explanation:
    """Where in a picture a network sees one class or several.

    Attributes:
        file: path of the picture; "image 0" for one in memory.
        picture: uint8 (H, W, 3), all of it.
        view: `View`, the part that the network sees.
        classes: tuple of `Seen`. `class_name`, `probability` and `heat` are
            those of the first.
    """

    file: str
    picture: np.ndarray
    view: View
    classes: tuple[Seen, ...]

    @property
    def class_name(self) -> str:
        """The name of the first class."""
        return self.classes[0].class_name

    @property
    def probability(self) -> float:
        """The probability of the first class, 0..1."""
        return self.classes[0].probability

    @property
    def heat(self) -> np.ndarray:
        """float32 (S, S) in [0, 1], of the first class."""
        return self.classes[0].heat

    @property
    def title(self) -> str:
        """All classes with their probabilities."""
        return ", ".join(seen.title for seen in self.classes)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the picture and an overlay for each class as a PNG."""
        with files.replacing(path) as target:
            target.write_bytes(self._repr_png_())

    def _repr_png_(self):
        """For notebooks too."""
        rows = [(seen.heat, seen.title) for seen in self.classes]
        drawn = grad_cam_lib.figure(self.picture, self.view, rows)
        target = io.BytesIO()
        drawn.savefig(target, format="png")
        return target.getvalue()

    def __repr__(self):
        return f"<Explanation of {self.file}: {self.title}>"


def explain(
    model: keras.Model | str | os.PathLike,
    picture: Any,
    class_name: str | Sequence[str] | None = None,
    *,
    view: View | None = None,
    class_names: Sequence[str] | None = None,
) -> Explanation:
    """Shows where in a picture a network sees a class: Grad-CAM.

    References: Selvaraju et al. 2017, arXiv 1610.02391.

    Args:
        model: a `keras.Model` from `build` or `train`, the folder of a run or
            a .keras file.
        picture: path of an image file, PIL image, or uint8 array (H, W, 3).
        class_name: of the class, or several. Default: the most probable; for
            labels that do not exclude each other, all above 50 %.
        view: `View` of the picture that the network sees. Default: the view of
            the card beside or on the model; without a card, see
            `opening.open_keras`.
        class_names: for a model in memory that has no card, in the order of
            its outputs.

    Returns:
        `Explanation`.

    Raises:
        keras_resnet.UsageError: if the model or the picture cannot be read, or
            the model has no such class or no head that Grad-CAM reads.

    Example:

    >>> explain("runs/photos", "cat.jpg").save("cat.png")
    """
    ((name, picture),) = pictures.named([picture])
    model, card = opening.open_keras(model, view=view, class_names=class_names)
    view = View.of(card)
    pixels = pictures.read_whole(picture, view.exif)
    seen = pictures.read(pixels, view)[np.newaxis]
    indices = {name: i for i, name in enumerate(card.class_names)}
    asked = [class_name] if isinstance(class_name, str) else class_name or ()
    chosen = [lookup(indices, name, "class") for name in asked]
    (probabilities,) = model.predict(seen, verbose=0)
    classes = tuple(
        Seen(
            class_name=card.class_names[index],
            probability=float(probabilities[index]),
            heat=grad_cam_lib.grad_cam(model, seen, index)[0],
        )
        for index in chosen or shown_classes(probabilities, card).tolist()
    )
    return Explanation(file=name, picture=pixels, view=view, classes=classes)
