"""What a network sees of a split: training crops above evaluation views."""

import dataclasses
import textwrap

import numpy as np

from keras_resnet import files
from keras_resnet.data import pipeline
from keras_resnet.data.examples import class_labels
from keras_resnet.data.examples import order
from keras_resnet.data.examples import splits
from keras_resnet.errors import printable
from keras_resnet.labels import fonts
from keras_resnet.labels.view import View


@dataclasses.dataclass(frozen=True, kw_only=True)
class Views:
    """The first examples of a run.

    Attributes:
        indices: int (N,), which examples.
        captions: N class names, "cat|dog" for several; None for an unreadable
            example, which is grey in the images.
        training: uint8 (N, S, S, 3), the augmented crops.
        evaluation: uint8 (N, S, S, 3), the same examples' central crops.
    """

    indices: np.ndarray
    captions: list[str | None]
    training: np.ndarray
    evaluation: np.ndarray


class _Silent:
    """Masks unreadable images as `bad_images.MaskedImages`, but says nothing.

    The survey names them.
    """

    def note(self, index):
        pass


def first_views(split, recipe, *, fill, count):
    """The views of the first examples that a run with this recipe takes.

    Args:
        split: `datasets.Split`.
        recipe: `recipes.Recipe`.
        fill: 3 floats, the mean colour, for padding.
        count: int, N.

    Returns:
        `Views`, in the order of the run: step 0 and, for more than a batch,
        the steps after it.
    """
    recipe = dataclasses.replace(recipe, steps=-(-count // recipe.batch_size))
    positions = [order.positions(split, recipe, s) for s in range(recipe.steps)]
    indices = np.concatenate([of_step for of_step, _ in positions])[:count]
    training = _rows(
        pipeline.train_dataset(split, recipe, fill=fill, masked=_Silent()),
        count,
    )
    chosen = splits.select(split, indices)
    evaluation = _rows(
        pipeline.eval_dataset(
            chosen, View.of(recipe), batch_size=count, masked=_Silent()
        ),
        count,
    )
    readable = zip(evaluation["label"], evaluation["weight"], strict=True)
    return Views(
        indices=indices,
        captions=[
            class_labels.text(class_labels.plain(label), split.class_names)
            if good
            else None
            for label, good in readable
        ],
        training=training["image"],
        evaluation=evaluation["image"],
    )


def _rows(dataset, count):
    """The first rows of the batches, concatenated key by key."""
    batches = list(dataset.as_numpy_iterator())
    return {
        key: np.concatenate([batch[key] for batch in batches])[:count]
        for key in batches[0]
    }


# Pixels of the picture.
_TILE, _GAP, _CAPTION, _MARGIN, _TITLE = 128, 14, 38, 24, 84
_COLUMNS = 8


def draw(views, path, *, title, subtitle):
    """Writes the contact sheet as a PNG.

    Args:
        views: `Views`.
        path: of the PNG.
        title: one line.
        subtitle: one line, smaller.
    """
    from PIL import Image
    from PIL import ImageDraw

    side = _tile(views.training[0]).width
    columns = min(_COLUMNS, len(views.captions))
    rows = -(-len(views.captions) // columns)
    cell = side + _GAP, _CAPTION + 2 * side + _GAP
    width = max(2 * _MARGIN + columns * cell[0], 640)
    sheet = Image.new("RGB", (width, _TITLE + rows * cell[1]), "white")
    pen = ImageDraw.Draw(sheet)
    _write(pen, (_MARGIN, 14), title, "black", 20)
    _write(pen, (_MARGIN, 46), subtitle, "grey", 14)
    for place, caption in enumerate(views.captions):
        row, column = divmod(place, columns)
        x, y = _MARGIN + column * cell[0], _TITLE + row * cell[1]
        _write_caption(pen, (x, y), caption, side)
        for below, images in enumerate((views.training, views.evaluation)):
            corner = x, y + _CAPTION + below * (side + 2)
            sheet.paste(_tile(images[place]), corner)
    with files.replacing(path) as beside:
        sheet.save(beside)


def _write_caption(pen, corner, caption, side):
    """Two lines at most, about as wide as the image."""
    color = "#b3261e" if caption is None else "black"
    text = "unreadable" if caption is None else caption
    _write(pen, corner, text, color, 12, width=side // 7)


def _write(pen, corner, text, color, size, width=1000):
    """Two lines at most, in a font that has the letters."""
    from PIL import ImageFont

    text = printable(text).replace("\n", " ")
    path, text = fonts.file_for(text)
    lines = textwrap.wrap(text, width, max_lines=2, placeholder="...")
    font = ImageFont.truetype(path, size)
    pen.text(corner, "\n".join(lines), color, font)


def _tile(pixels):
    """An image enlarged, or shrunk, by a whole factor: pixels stay squares."""
    from PIL import Image

    image = Image.fromarray(pixels)
    if image.width > 1.5 * _TILE:
        return image.reduce(-(-image.width // (2 * _TILE)))
    side = max(1, round(_TILE / image.width)) * image.width
    return image.resize((side, side), Image.Resampling.NEAREST)


def subtitle(recipe):
    """What the views of a recipe are, in a line."""
    policy = f", {recipe.policy}" if recipe.policy else ""
    erasing = f", erasing {recipe.erasing:g}" if recipe.erasing else ""
    return (
        f"{recipe.variant}, seed {recipe.seed}, augmentation "
        f"{recipe.augmentation}{policy}{erasing}, {recipe.image_size} pixels, "
        "from step 0; training above, evaluation below"
    )
