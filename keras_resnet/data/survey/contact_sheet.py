"""What a network sees of a split: training crops above evaluation views."""

import dataclasses
import io
import textwrap
import warnings

import numpy as np
import tensorflow as tf

from keras_resnet.data import pipeline
from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels.headers import BadImageError
from keras_resnet.data.survey import scanning
from keras_resnet.labels.view import View


@dataclasses.dataclass(frozen=True, kw_only=True)
class Views:
    """The first examples of a run.

    Attributes:
        indices: int (N,), which examples.
        captions: N class names; None where the example is unreadable, and
            grey in the images.
        training: uint8 (N, S, S, 3), the augmented crops.
        evaluation: uint8 (N, S, S, 3), the same examples' central crops.
    """

    indices: np.ndarray
    captions: list[str | None]
    training: np.ndarray
    evaluation: np.ndarray


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

    def train(split):
        batches = pipeline.train_dataset(split, recipe, fill=fill)
        batches = list(batches.as_numpy_iterator())
        return [
            np.concatenate([batch[key] for batch in batches])[:count]
            for key in ("image", "label")
        ]

    # First without a look at the files, of which some may be unreadable.
    _, indices = train(_tagged(split, {}, recipe))
    stored, captions = _stored(split, indices)
    tagged = _tagged(split, stored, recipe)
    training, _ = train(tagged)
    chosen = dataclasses.replace(
        tagged,
        num_examples=count,
        read=lambda place: tagged.read(tf.gather(indices, place)),
        labels=indices,
    )
    batches = pipeline.eval_dataset(chosen, View.of(recipe), batch_size=count)
    return Views(
        indices=indices,
        captions=captions,
        training=training,
        evaluation=next(batches.as_numpy_iterator())["image"],
    )


def _stored(split, indices):
    """{index: what is stored} of the readable ones, and all class names."""
    read, stored, captions = scanning.reader(split), {}, []
    for index in map(int, indices):
        try:
            image, label = read(index)
            if isinstance(image, bytes):
                headers.read(image)
            scanning.pixels(image)
        except (BadImageError, tf.errors.OpError):
            captions.append(None)
            continue
        stored[index] = image
        captions.append(split.class_names[label])
    return stored, captions


def _tagged(split, stored, recipe):
    """The split with indices for labels; grey squares for what is not stored.

    So a batch tells which examples it holds.
    """
    image, _ = tf.data.Dataset.range(1).map(split.read).element_spec
    placeholder = _grey(recipe.eval_resize)

    def encoded(index):
        return stored.get(int(index), placeholder)

    def read(index):
        if image.dtype == tf.string:
            pixels = tf.numpy_function(encoded, [index], tf.string)
            pixels = tf.ensure_shape(pixels, ())
        else:
            pixels, _ = split.read(index)
        return pixels, tf.cast(index, tf.int32)

    labels = np.arange(split.num_examples, dtype=np.int32)
    return dataclasses.replace(split, read=read, labels=labels)


def _grey(side):
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (side, side), (128, 128, 128)).save(file, "PNG")
    return file.getvalue()


# Pixels of the picture.
_TILE, _GAP, _CAPTION, _MARGIN, _TITLE = 128, 14, 38, 40, 74
_COLUMNS = 8
_DPI = 100
_INK, _PALE, _RED = "0.1", "0.45", "#b3261e"


def draw(views, path, *, title, subtitle):
    """Writes the contact sheet as a PNG.

    Args:
        views: `Views`.
        path: of the PNG.
        title: one line.
        subtitle: one line, smaller.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = _shown(views.training[:1]).shape[1]
    font = 9 if side < 1.5 * _TILE else 11  # points
    count = len(views.captions)
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    cell = side + _GAP, _CAPTION + 2 * side + 4 + _GAP
    width = max(2 * _MARGIN + columns * cell[0] - _GAP, 640)
    height = _TITLE + rows * cell[1] + _GAP
    canvas = np.full((height, width, 3), 255, np.uint8)
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)

    def write(x, y, text, **style):
        style = {"fontsize": font, "color": _INK, "va": "top"} | style
        # Names hold dollar signs; they are no formulas.
        figure.text(
            x / width,
            1 - y / height,
            scanning.printable(text),
            parse_math=False,
            **style,
        )

    letters = int((width - _MARGIN) / (0.65 * 15 * _DPI / 72))
    if len(title) > letters:
        title = "\u2026" + title[1 - letters :]
    write(_MARGIN, 16, title, fontsize=15, weight="bold")
    write(_MARGIN, 44, subtitle, color=_PALE, fontsize=10)
    for place, caption in enumerate(views.captions):
        row, column = divmod(place, columns)
        x, y = _MARGIN + column * cell[0], _TITLE + row * cell[1]
        y += _CAPTION
        write(
            x,
            y - 7,
            _fitted("unreadable" if caption is None else caption, side, font),
            color=_RED if caption is None else _INK,
            va="baseline",
            linespacing=1.05,
        )
        for name in ("training", "evaluation"):
            image = getattr(views, name)[place]
            canvas[y : y + side, x : x + side] = _shown(image[None])[0]
            if column == 0:
                style = {"rotation": 90, "ha": "center", "va": "center"}
                write(x - 14, y + side / 2, name, color=_PALE, **style)
            y += side + 4
    figure.figimage(canvas, origin="upper")
    with warnings.catch_warnings():
        # Scripts that the font lacks become boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(path, dpi=_DPI)


def _shown(images):
    """Images enlarged, or shrunk, by a whole factor: pixels stay squares."""
    n, side, _, channels = images.shape
    if side <= _TILE * 1.5:
        factor = max(1, round(_TILE / side))
        return images.repeat(factor, axis=1).repeat(factor, axis=2)
    factor = -(-side // (2 * _TILE))
    kept = side // factor
    blocks = images[:, : kept * factor, : kept * factor].reshape(
        n, kept, factor, kept, factor, channels
    )
    return blocks.mean(axis=(2, 4)).round().astype(np.uint8)


def _fitted(name, side, font):
    """Two lines at most, as wide as the image."""
    letters = int(side / (0.6 * font * _DPI / 72))  # of usual width
    lines = textwrap.wrap(name, letters) or [""]
    if len(lines) > 2:
        lines = [lines[0], "".join(lines[1:])[: letters - 1] + "\u2026"]
    return "\n".join(lines)
