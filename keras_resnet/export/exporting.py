"""`export`: a model and some pictures become files that are proved equal."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_resnet import files
from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data.examples.splits import Split
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.export import formats as formats_lib
from keras_resnet.export import pipeline
from keras_resnet.export import placing
from keras_resnet.export import quiet
from keras_resnet.export.verification import verify
from keras_resnet.inference import opening
from keras_resnet.inference.artifact import Artifacts
from keras_resnet.labels import cards
from keras_resnet.labels.view import View
from keras_resnet.networks.outputs import named_features

_RANDOM = 32  # pictures, where there are no real ones


def export(
    model: keras.Model | str | os.PathLike,
    output_dir: str | os.PathLike = "exported",
    *,
    formats: Sequence[str] = formats_lib.DEFAULT_FORMATS,
    outputs: str | Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    images: Any = None,
    labels: Sequence[int] | None = None,
    view: View | None = None,
    force: bool = False,
    num_images: int = 256,
    num_calibration_images: int = 256,
    data_dir: str | None = None,
    on_bad_image: str = "fail",
    dataset_name: str | None = None,
    **options,
) -> Artifacts:
    """Writes a network for other runtimes, each file verified.

    The network is a classifier or gives features: the `outputs` of a
    classifier, or what the model itself gives, as in
    `export(features(model), ...)`. Features have no classes: labels.txt is
    empty, and predict, evaluate and explain refuse the files.
    `load_predictor(path)(images)` opens them.

    The folder holds the files, labels.txt, card.json, samples, and
    manifest.json with the measured differences and what they were measured
    on. A failure leaves the folder as it was.

    Args:
        model: a `keras.Model` from `build` or `train`, also one that
            `model.fit` trained; the folder of a run or a .keras file.
        output_dir: path of the folder; made if missing.
        formats: any of saved_model, saved_model_bfloat16, tflite (8-bit
            weights), tflite_float32, tflite_float16, tflite_int8, onnx,
            onnx_int8 and web, or names added by `formats.register`.
        outputs: "embedding", "pyramid" or names that `keras_resnet.features`
            takes. Default: what the model gives.
        class_names: for a model in memory that has no card, in the order of
            its outputs.
        images: what to verify with: a folder of class folders or another data
            set of the model's classes, a `Split`, or uint8 (H, W, 3) arrays
            or floats of 0..255. They also calibrate the 8-bit formats (a data
            set's training split does). Default: what the model was trained
            on; if that is not known, random pictures, and the manifest says
            so.
        labels: classes of `images` given as arrays, ints. They name the
            samples, and the 8-bit formats must not lose accuracy on them.
        view: `View` of an image that the network sees. Default: the view of
            the card beside or on the model; without a card, see
            `opening.open_keras`.
        force: whether to replace an earlier export.
        num_images, num_calibration_images: how many of a data set to read.
        data_dir: where TensorFlow Datasets keeps its data.
        on_bad_image: "fail", or "mask:N" to go on without up to N images.
        dataset_name: what the export says the model was trained on. Default:
            the data set, without the path to it.
        **options: fields of `formats.Options`: `opset`, `input_dtype`,
            `dynamic_batch`, `resize`, `frozen`, `litert_js`.

    Returns:
        `Artifacts`: a list of `Artifact`, which prints as a table.

    Raises:
        keras_resnet.UsageError: if something cannot work, before any work.
        keras_resnet.export.verification.verify.VerificationError: if a file
            differs from the model.

    Example:

    >>> export(model, "exported", class_names=("cat", "dog"))
    """
    formats = [formats] if isinstance(formats, str) else list(formats)
    recipes.max_masked(on_bad_image)  # refused before the model loads
    with files.without_trace(output_dir):
        _check_place(output_dir, formats, force)
        chosen = _options(options)
        model, card = _open(model, outputs, view=view, class_names=class_names)
        source = _Source(
            images, labels, card, data_dir=data_dir, on_bad_image=on_bad_image
        )
        if formats_lib.are_calibrated(formats):
            shown, _ = source.read("train", num_calibration_images)
            views = verify.evaluation_views(shown, card)
            chosen = dataclasses.replace(chosen, calibration=views)
        pipeline.check(
            model, output_dir, card=card, formats=formats, options=chosen
        )
        images, labels = source.read("validation", num_images)
        if dataset_name is not None:
            card = dataclasses.replace(card, dataset=dataset_name)
        with quiet.others_in_notebook():
            return pipeline.export_all(
                model,
                output_dir,
                card=card,
                formats=formats,
                images=images,
                labels=labels,
                options=chosen,
                verified_on=f"{len(images)} {source.words(dataset_name)}",
            )


def _open(model, outputs, *, view, class_names):
    """(`keras.Model`, `Card`) of what is exported."""
    is_path = isinstance(model, (str, os.PathLike))
    if outputs is None and (is_path or not named_features(model)):
        return opening.open_keras(model, view=view, class_names=class_names)
    require(
        class_names is None,
        f"Features have no classes. Received: class_names={class_names!r}.",
    )
    return opening.open_features(model, outputs, view=view)


def _check_place(output_dir, formats, force):
    placing.check(output_dir, formats_lib.file_names(formats))
    earlier = [] if force else placing.find_existing(output_dir)
    require(
        not earlier,
        f"There is an export already: {', '.join(map(str, earlier))}. Pass "
        "--force (in Python force=True) to replace it, or another "
        "--output_dir.",
    )


def _options(given):
    known = {field.name for field in dataclasses.fields(formats_lib.Options)}
    known = dict.fromkeys(sorted(known - {"calibration"}))
    for name in given:
        lookup(known, name, "choice of an export")
    return formats_lib.Options(**given)


class _Source:
    """Where the pictures come from.

    Args:
        images, labels: as for `export`.
        card: `Card` of the model.
        **reading: `data_dir` and `on_bad_image`, as for `export`.
    """

    def __init__(self, images, labels, card, *, data_dir, on_bad_image):
        self._card, self._labels = card, labels
        self._data_dir, self._on_bad_image = data_dir, on_bad_image
        if isinstance(images, (str, os.PathLike)):
            images = datasets.name_of(images)
        self._images = images
        if isinstance(images, Split):
            pipeline.check_split(card, images)
        elif images is not None and not isinstance(images, str):
            self._images = _arrays(images, labels)

    def words(self, dataset_name=None):
        """How the manifest describes the pictures.

        Args:
            dataset_name: of the model's training data set. Default: the
                card's, without a path.
        """
        if isinstance(self._images, list):
            return "images that the caller gave"
        if isinstance(self._images, Split):
            name, slash, split = self._images.name.rpartition("/")
            name = f"{cards.without_path(name)} ({split})" if slash else split
            return f"images of {name}"
        if self._images is not None:
            name = cards.without_path(self._images)
        elif self._card.dataset:
            name = dataset_name or self._card.public().dataset
        else:
            return "random pictures, since no image was given"
        return f"images of {name} (validation)"

    def read(self, split, number):
        """(images, labels or None), as `pipeline.export_all` takes them."""
        if isinstance(self._images, list):
            return self._images, self._labels
        if self._images is None and not self._card.dataset:
            require(
                split != "train",
                "Formats of 8 bits (tflite_int8, onnx_int8) are calibrated "
                "with real images: pass images=, a folder or some arrays.",
            )
            return _random_pictures(self._card), None
        found = self._images
        if not isinstance(found, Split):
            found = pipeline.split_of(
                self._card, split, dataset=found, data_dir=self._data_dir
            )
        return pipeline.read_images(
            found,
            number,
            on_bad_image=self._on_bad_image,
            exif=self._card.exif,
        )


def _arrays(images, labels):
    """A list of uint8 (H, W, 3) from what a caller holds in memory."""
    found = [np.asarray(image) for image in images]
    require(found, "There are no images to verify with. Pass some.")
    for image in found:
        require(
            image.ndim == 3
            and image.shape[2] == 3
            and 0 <= image.min()
            and image.max() <= 255,
            "images are RGB pixels 0..255, (H, W, 3). Received: "
            f"{image.dtype} of shape {image.shape}, from {image.min()} to "
            f"{image.max()}.",
        )
    require(
        any(image.max() > 1 for image in found),
        "images are pixels 0..255, but none of these is above 1. If they are "
        "in [0, 1], pass 255 * images.",
    )
    require(
        labels is None or len(labels) == len(found),
        f"labels must be one for each of {len(found)} images. Received: "
        f"{len(labels or ())}.",
    )
    return [np.round(image).astype(np.uint8) for image in found]


def _random_pictures(card):
    """uint8 (S, S, 3): squares of random colours, always the same."""
    size, rng = card.eval_resize, np.random.default_rng(0)
    side = max(1, size // 8)
    squares = rng.integers(0, 256, (_RANDOM, 9, 9, 3), np.uint8)
    whole = squares.repeat(side, axis=1).repeat(side, axis=2)
    return list(whole[:, :size, :size])
