"""Published weights by their tags: which there are, and their files."""

import os

import numpy as np
from absl import logging

from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import nearest
from keras_resnet.networks import specs
from keras_resnet.weights import cache
from keras_resnet.weights import hub
from keras_resnet.weights import hub_rows
from keras_resnet.weights import published_rows
from keras_resnet.weights import repositories
from keras_resnet.weights.published_rows import Weights

WEIGHTS = (*published_rows.WEIGHTS, *hub_rows.ROWS)


def resolve(variant, weights):
    """What `weights=` means for a variant.

    Args:
        variant: key of `keras_resnet.VARIANTS`.
        weights: a tag, or the path of a file. A string is a path if it has a
            folder or a suffix.

    Returns:
        The row of WEIGHTS, or `weights` itself if it is a path.

    Raises:
        keras_resnet.UsageError: if the tag is unknown, or of other variants.
    """
    if not isinstance(weights, str) or hub.is_handle(weights):
        return weights
    rows = {row.tag: row for row in WEIGHTS if row.variant == variant}
    if weights in rows:
        return rows[weights]
    if _is_path(weights):
        return weights
    others = [row.variant for row in WEIGHTS if row.tag == weights]
    raise UsageError(
        f"There are no weights {weights!r} of {variant!r}."
        f"{_suggestion(weights, variant, rows, others)} "
        f"Known for {variant!r}: {_known(rows)}, or the path of "
        "a file. keras_resnet.list_weights() shows all. "
        f"Received: weights={weights!r}."
    )


def _known(rows):
    tags = [tag for tag in rows if not hub.is_handle(tag)]
    others = len(rows) - len(tags)
    tags += [f"{others} on the hub"] if others else []
    return ", ".join(tags) or "none"


def _is_path(weights):
    if weights.startswith(("torchvision:", "timm:")):
        return False
    folder, name = os.path.split(weights)
    return bool(folder or os.path.splitext(name)[1])


def _suggestion(weights, variant, rows, others):
    if f"{variant}_keras" in others:
        return f" '{variant}_keras' has them: another network than the paper's."
    # resnet50 and resnet50_v1_5 differ in where a bottleneck strides.
    depth, _, kind = variant.partition("_")
    twins = {"": f"{depth}_v1_5", "v1_5": depth}
    if twins.get(kind) in others:
        return (
            f" {twins[kind]!r} has them: the same network with the stride "
            "of a bottleneck in another convolution."
        )
    if others:
        return f" They are of {', '.join(map(repr, others))}."
    near = nearest(weights, [tag for tag in rows if not hub.is_handle(tag)])
    return f" Did you mean {near!r}?" if near else ""


def locate(variant, weights, row=None):
    """The file of a tag or a repository, downloaded if need be, or of a path.

    Args:
        variant: key of `keras_resnet.VARIANTS`.
        weights: a tag of that variant, a path, or a repository: its handle,
            "hf://OWNER/NAME", or a `Repository`.
        row: `specs.Variant` with the choices that the user made. Default: the
            variant's own.

    Returns:
        (path, published): the row of WEIGHTS for a tag, the `Repository` for
        a repository, None for a path.

    Raises:
        keras_resnet.UsageError: if the variant has no such tag, or its file
            is not available.
    """
    found = resolve(variant, weights)
    if hub.is_handle(found):
        found = repositories.describe(found)
    if isinstance(found, repositories.Repository):
        repositories.check(found, variant, row or specs.VARIANTS[variant])
        return found.path, found
    if isinstance(found, Weights):
        return _file_of(found), found
    return weights, None


def _file_of(row):
    """The hub's file of a tag, else the publisher's own.

    The hub's file needs no PyTorch, and its digest is a whole one. A file that
    an earlier version has downloaded is taken as it is.
    """
    if row.hub and not cache.has(row.url):
        try:
            return hub.opened(row.hub).file(repositories.WEIGHTS[0])
        except UsageError as error:
            logging.warning("%s The publisher's own file is taken.", error)
    return cache.cached_file(row.url, checksum=row.checksum)


def set_pixels(model, published):
    """Gives a network the pixel constants that its weights were trained with.

    Args:
        model: from `keras_resnet.build`; changed. A mean image then has the
            mean colour at every place.
        published: `Weights` or `Repository`, whose file may have them itself.
    """
    if published.pixel_mean is not None:
        pixels = model.get_layer("pixels")
        shape = tuple(pixels.mean.shape)
        pixels.mean.assign(np.broadcast_to(published.pixel_mean, shape))
        pixels.std.assign(published.pixel_std)


class WeightsTable(tuple):
    """Rows of WEIGHTS, which print as an aligned table."""

    _COLUMNS = (
        ("variant", lambda row: row.variant),
        ("weights", lambda row: row.tag),
        ("top-1 %", lambda row: percent(row.top1_accuracy)),
        ("top-5 %", lambda row: percent(row.top5_accuracy)),
        ("resize, crop", lambda row: view(row)),
        ("interpolation", lambda row: interpolation(row)),
        ("pixel mean", lambda row: _floats(row.pixel_mean)),
        ("pixel std", lambda row: _floats(row.pixel_std)),
        ("licence", lambda row: row.licence or NOT_PUBLISHED),
        ("without PyTorch", lambda row: source(row)),
    )

    def __repr__(self):
        cells = [
            [title for title, _ in self._COLUMNS],
            *([cell(row) for _, cell in self._COLUMNS] for row in self),
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = (
            "  ".join(
                text.ljust(width)
                for text, width in zip(line, widths, strict=True)
            )
            for line in cells
        )
        return "\n".join(line.rstrip() for line in lines)

    __str__ = __repr__


NOT_PUBLISHED = "not published"
IN_ITS_FILES = "in its files"


def source(row):
    """Where the weights are in a file that needs no PyTorch to be read."""
    return row.hub or (row.tag if row.is_repository else row.url)


def view(row):
    """The shorter side and the crop that a row is evaluated at."""
    return IN_ITS_FILES if row.crop is None else f"{row.resize}, {row.crop}"


def percent(accuracy):
    """A fraction with the digits that were published: 0.749 -> "74.9"."""
    return NOT_PUBLISHED if accuracy is None else f"{100 * accuracy:.5g}"


def interpolation(row):
    """How a row's images are resized: "bilinear, antialias"."""
    if row.interpolation is None:
        return IN_ITS_FILES
    antialias = {True: ", antialias", False: ", no antialias", None: ""}
    return row.interpolation + antialias[row.antialias]


def _floats(values):
    if values is None:
        return IN_ITS_FILES
    return " ".join(f"{value:g}" for value in values)


def list_weights(variant: str | None = None) -> WeightsTable:
    """The published weights that `build(variant, weights=tag)` takes.

    Args:
        variant: key of `keras_resnet.VARIANTS`. Default: all that have any.

    Returns:
        `WeightsTable`: a tuple of `Weights`, which prints as a table. Each has
        a tag's licence, preprocessing, evaluation transform, accuracy and
        their sources, and where its weights are without a pickle. None means:
        not published.

    Raises:
        keras_resnet.UsageError: if there is no such variant.

    Example:

    >>> list_weights("resnet50")[0].top1_accuracy
    0.749
    """
    if variant is not None:
        lookup(specs.VARIANTS, variant, "variant")
    return WeightsTable(
        row for row in WEIGHTS if variant in (None, row.variant)
    )
