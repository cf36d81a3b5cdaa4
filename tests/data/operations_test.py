"""Operations of policies against Pillow's and torchvision's."""

import functools

import numpy as np
import peers
import pytest
import tensorflow as tf
from photographs import photograph
from PIL import Image
from PIL import ImageEnhance
from PIL import ImageOps

from keras_resnet.data.pixels import moves
from keras_resnet.data.pixels import operations

SIZE = 63, 48  # odd width, even height: both kinds of centre
FILL = (124, 116, 104)
WEIGHTS = (*np.linspace(0.01, 1.99, 7), 0.0)


def _apply(name, parameter, pixels, interpolation="nearest", fill=FILL):
    canvas = moves.Canvas(fill=tuple(fill), interpolation=interpolation)
    return operations.apply(
        tf.constant(pixels),
        tf.constant(operations.OPERATIONS[name]),
        tf.constant(parameter, tf.float32),
        canvas,
    ).numpy()


@functools.cache
def _applied(name, parameter, number):
    return _apply(name, parameter, _pictures()[number])


@functools.cache
def _pictures():
    """A photograph, a pale one, and one of a single colour."""
    bright = photograph("flower.jpg", *SIZE)
    pale = (photograph("china.jpg", *SIZE) // 3 + 90).astype(np.uint8)
    return bright, pale, np.full_like(bright, 77)


def _enhance(kind):
    def enhance(image, weight):
        return kind(image).enhance(float(np.float32(weight)))

    return enhance


def _add(image, added):
    return image.point(
        [i + int(added) if i < 128 else i for i in range(256)] * 3
    )


# {operation: (parameters, Pillow's function, torchvision's name, the levels by
# which torchvision may differ)}.
TONES = {
    "identity": ((0,), lambda image, _: image, None, 0),
    "brightness": (
        *(WEIGHTS, _enhance(ImageEnhance.Brightness)),
        *("adjust_brightness", 0),
    ),
    "color": (
        *(WEIGHTS, _enhance(ImageEnhance.Color)),
        *("adjust_saturation", 1),
    ),
    "contrast": (
        *(WEIGHTS, _enhance(ImageEnhance.Contrast)),
        *("adjust_contrast", 1),
    ),
    "sharpness": (
        *(WEIGHTS, _enhance(ImageEnhance.Sharpness)),
        *("adjust_sharpness", 0),
    ),
    "posterize": (range(1, 9), ImageOps.posterize, "posterize", 0),
    "solarize": (
        (0, 8.5, 76, 77, 127.5, 255), ImageOps.solarize, "solarize", 0,
    ),
    "solarize_add": ((0, 11, 60, 110), _add, None, 0),
    "autocontrast": (
        (0,), lambda image, _: ImageOps.autocontrast(image), "autocontrast", 1,
    ),
    "equalize": (
        (0,), lambda image, _: ImageOps.equalize(image), "equalize", 0,
    ),
    "invert": ((0,), lambda image, _: ImageOps.invert(image), "invert", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", TONES)
def test_colours_are_pillows_to_the_bit(name):
    parameters, pillow, _, _ = TONES[name]
    for number, pixels in enumerate(_pictures()):
        for parameter in parameters:
            expected = np.asarray(pillow(Image.fromarray(pixels), parameter))
            found = _applied(name, parameter, number)
            np.testing.assert_array_equal(found, expected, f"{parameter}")


@functools.cache
def _torch_functions():
    peers.torchvision_models()
    from torchvision.transforms.v2 import functional

    return functional


def _torch(pixels):
    return peers.torch_module().from_numpy(pixels.transpose(2, 0, 1).copy())


def _pixels(tensor):
    return tensor.numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("name", [name for name in TONES if TONES[name][2]])
def test_colours_are_torchvisions_of_tensors_within_levels(name):
    parameters, _, function, levels = TONES[name]
    function = getattr(_torch_functions(), function)
    unary = len(parameters) == 1
    largest = 0
    for number, pixels in enumerate(_pictures()):
        for parameter in parameters:
            arguments = () if unary else (float(parameter),)
            if name == "posterize":
                arguments = (parameter,)
            expected = _pixels(function(_torch(pixels), *arguments))
            found = _applied(name, parameter, number)
            apart = np.abs(found.astype(int) - expected)
            largest = max(largest, apart.max())
    assert largest <= levels


def test_no_bit_is_left_where_none_is_kept():
    assert not _apply("posterize", 0, _pictures()[0]).any()


def _shear(x, y):
    degrees = [float(np.degrees(np.arctan(slope))) for slope in (x, y)]
    return {"shear": degrees, "center": [0, 0]}


# {operation: (parameters, function to torchvision's arguments, Pillow's rows)}.
SLOPES = (0, 0.033, 0.31, 0.99, -0.45, -0.99)
SHIFTS = (0, 1, 13, 32, -7, -32)
MOVES = {
    "shear_x": (SLOPES, lambda p: _shear(p, 0), lambda p: (1, p, 0, 0, 1, 0)),
    "shear_y": (SLOPES, lambda p: _shear(0, p), lambda p: (1, 0, 0, p, 1, 0)),
    "translate_x": (
        SHIFTS,
        lambda p: {"translate": [p, 0], "shear": [0.0, 0.0]},
        lambda p: (1, 0, -p, 0, 1, 0),
    ),
    "translate_y": (
        SHIFTS,
        lambda p: {"translate": [0, p], "shear": [0.0, 0.0]},
        lambda p: (1, 0, 0, 0, 1, -p),
    ),
    "rotate": ((0, 4.5, 30, 94.5, 135, -22.5, -135), None, None),
}


def _moved_by_torch(name, parameter, pixels, interpolation):
    functional = _torch_functions()
    # With a fill, torchvision weighs the pixels of a bilinear edge twice.
    fill = list(map(float, FILL)) if interpolation == "nearest" else None
    choices = {"interpolation": interpolation, "fill": fill}
    if name == "rotate":
        return functional.rotate(_torch(pixels), parameter, **choices)
    given = {"translate": [0, 0], **MOVES[name][1](parameter)}
    return functional.affine(
        _torch(pixels), angle=0.0, scale=1.0, **given, **choices
    )


def _moved_by_pillow(name, parameter, pixels, interpolation):
    image = Image.fromarray(pixels)
    resample = Image.Resampling[interpolation.upper()]
    if name == "rotate":
        image = image.rotate(parameter, resample, fillcolor=FILL)
    else:
        rows = MOVES[name][2](parameter)
        image = image.transform(
            image.size, Image.Transform.AFFINE, rows, resample, fillcolor=FILL
        )
    return np.asarray(image)


def _sources(name, parameter):
    """Where each pixel comes from, float64 (H, W) twice, in pixels."""
    width, height = SIZE
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    if name == "rotate":
        angle = np.radians(parameter)
        x, y = x - width / 2, y - height / 2
        return (
            np.cos(angle) * x - np.sin(angle) * y + width / 2,
            np.sin(angle) * x + np.cos(angle) * y + height / 2,
        )
    a, b, c, d, e, f = MOVES[name][2](parameter)
    return a * x + b * y + c, d * x + e * y + f


def _certain(name, parameter, margin):
    """Where a source is not within `margin` of an edge between two pixels."""
    apart = [
        np.abs(place - np.round(place)) > margin
        for place in _sources(name, parameter)
    ]
    return apart[0] & apart[1]


def _inside(name, parameter):
    """Where all four pixels around a source lie in the image."""
    x, y = _sources(name, parameter)
    width, height = SIZE
    return (x > 0.5) & (x < width - 0.5) & (y > 0.5) & (y < height - 0.5)


@pytest.mark.parametrize("name", MOVES)
def test_nearest_pixels_are_theirs_but_on_edges_between_two(name):
    pixels = _pictures()[0]
    for parameter in MOVES[name][0]:
        found = _apply(name, parameter, pixels)
        certain = _certain(name, parameter, 1e-3)
        # Pillow computes positions in units of 1/65,536 pixel.
        assert certain.mean() > 0.95
        theirs = _pixels(_moved_by_torch(name, parameter, pixels, "nearest"))
        np.testing.assert_array_equal(found[certain], theirs[certain])
        theirs = _moved_by_pillow(name, parameter, pixels, "nearest")
        np.testing.assert_array_equal(found[certain], theirs[certain])


@pytest.mark.parametrize("name", MOVES)
def test_bilinear_pixels_are_theirs_within_one_level(name):
    """Pillow mixes no fill in: its pixels are compared inside the image."""
    pixels, largest = _pictures()[0], 0
    for parameter in MOVES[name][0]:
        theirs = _pixels(_moved_by_torch(name, parameter, pixels, "bilinear"))
        found = _apply(name, parameter, pixels, "bilinear", (0, 0, 0))
        assert np.abs(found.astype(int) - theirs).max() <= 1
        theirs = _moved_by_pillow(name, parameter, pixels, "bilinear")
        found = _apply(name, parameter, pixels, "bilinear")
        inside = _inside(name, parameter)
        assert inside.mean() > 0.15
        assert np.abs(found.astype(int) - theirs)[inside].max() <= 1
        nearest = _apply(name, parameter, pixels).astype(int)
        largest = max(largest, np.abs(nearest - theirs)[inside].max())
    # Negative control: the nearest pixels differ wherever pixels are mixed.
    assert (largest > 30) == (not name.startswith("translate"))
