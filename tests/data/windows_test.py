"""Windows: their distribution, and the pixels against the plain definition."""

import functools

import exif_files
import numpy as np
import pytest
import tensorflow as tf
from photographs import NAMES
from photographs import encoded
from photographs import photograph
from PIL import Image

from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import parts
from keras_resnet.data.pixels import randomness
from keras_resnet.data.pixels import windows


def _draws(n, width=windows.SCALE_CROP_DRAWS):
    return randomness.uniform(tf.range(n, dtype=tf.int64), width)


def _boxes(window, draws):
    """All windows, in one graph."""
    return tf.function(lambda d: tf.map_fn(window, d))(draws).numpy()


def _scale_crop(size, draws, low, high, pixels):
    """P1 3.4 in NumPy: shorter side, resized size, corner."""
    shorter = low + int(np.floor(draws[0] * (high - low + 1)))
    resized = np.array(size) * shorter // min(size)
    corner = np.floor(draws[1:3] * (resized - pixels + 1)).astype(int)
    return shorter, resized, corner


@pytest.mark.parametrize("size", [(375, 500), (500, 375), (64, 64), (3000, 9)])
def test_a_scale_crop_window_is_the_square_seen_from_the_image(size):
    for draws in _draws(50).numpy():
        _, resized, corner = _scale_crop(size, draws, 256, 480, 224)
        box = windows.scale_crop(tf.constant(size), draws, 256, 480, 224)
        scale = np.array(size) / resized
        expected = np.concatenate([corner * scale, 224 * scale])
        np.testing.assert_allclose(box, expected, rtol=1e-5, atol=1e-3)
        assert (box[:2] >= 0).numpy().all()
        assert (box[:2] + box[2:] <= np.array(size) * (1 + 1e-6)).numpy().all()


def test_scales_are_uniform_integers_with_both_ends():
    size = tf.constant([400, 300])
    boxes = _boxes(
        lambda d: windows.scale_crop(size, d, 256, 480, 224), _draws(22_500)
    )
    sides = np.round(224 * 300 / boxes[:, 3]).astype(int)
    counts = np.bincount(sides - 256, minlength=225)
    assert len(counts) == 225
    # Chi-square with 224 degrees of freedom: above 293 once in 1,000.
    assert ((counts - 100) ** 2 / 100).sum() < 293


def test_crops_are_uniform_over_all_positions():
    size = tf.constant([6, 7])
    boxes = _boxes(lambda d: windows.scale_crop(size, d, 6, 6, 5), _draws(6000))
    corners = [tuple(corner) for corner in np.round(boxes[:, :2]).astype(int)]
    counts = np.array(
        [corners.count((i, j)) for i in (0, 1) for j in (0, 1, 2)]
    )
    assert counts.sum() == 6000
    # Chi-square with 5 degrees of freedom: above 20.5 once in 1,000.
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5


def test_windows_of_many_are_those_of_one_bit_for_bit():
    sizes = np.random.default_rng(0).integers(1, 700, (33, 2), np.int32)
    scaled = functools.partial(
        windows.scale_crop, low=256, high=480, pixels=224
    )
    for window, width in (
        (scaled, windows.SCALE_CROP_DRAWS),
        (windows.area_crop, windows.DRAWS),
    ):
        draws = _draws(33, width)
        alone = np.stack([window(*one) for one in zip(sizes, draws)])
        for count in (1, 7, 33):
            many = window(tf.constant(sizes[:count]), draws[:count])
            np.testing.assert_array_equal(many, alone[:count])
        assert len(np.unique(alone, axis=0)) == 33


def _area_boxes(size, n):
    return _boxes(
        lambda d: windows.area_crop(tf.constant(size), d),
        _draws(n, windows.DRAWS),
    )


def test_area_crops_have_uniform_areas_and_log_uniform_aspects():
    # So large that nearly every first attempt fits.
    size = (3000, 3000)
    boxes = _area_boxes(size, 4000)
    top, left, height, width = boxes.T
    assert (boxes == np.round(boxes)).all()
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 3000).all() and (left + width <= 3000).all()
    area = height * width / 9e6
    aspect = np.log(width / height) / np.log(4 / 3)
    assert 0.079 < area.min() and area.max() <= 1
    assert np.abs(aspect).max() < 1.002
    # A window of nearly the whole image fits at few aspects only, so only the
    # smaller ones are uniform.
    small = area < 0.74
    assert abs(area[small].mean() - (0.08 + 0.74) / 2) < 0.015
    assert abs(aspect[small].mean()) < 0.04
    assert abs(aspect[small].std() - 1 / np.sqrt(3)) < 0.02
    free = (3000 - height[small]) * 1.0
    assert abs(np.mean(top[small] / np.maximum(free, 1)) - 0.5) < 0.02


@pytest.mark.parametrize(
    "size, expected", [((3000, 9), (12, 9)), ((9, 3000), (9, 12))]
)
def test_an_area_crop_that_never_fits_is_the_central_one(size, expected):
    for box in _area_boxes(size, 20):
        height, width = box[2:]
        # Either a small window fits, or the window has the nearest aspect.
        assert height <= size[0] and width <= size[1]
        if min(height, width) == 9:
            assert (height, width) == expected
            middle = (np.array(size) - expected) // 2
            np.testing.assert_array_equal(box[:2], middle)


def _plain(image, draws, pixels=224):
    """Resize the whole image, then crop: the definition, by Pillow."""
    size = image.shape[:2]
    _, resized, corner = _scale_crop(size, draws, 256, 480, pixels)
    resized = Image.fromarray(image).resize(
        (int(resized[1]), int(resized[0])), Image.Resampling.BILINEAR
    )
    top, left = corner
    return np.asarray(resized)[top : top + pixels, left : left + pixels]


def _read(source, draws, pixels=224):
    window = functools.partial(
        windows.scale_crop, draws=draws, low=256, high=480, pixels=pixels
    )
    found = parts.read(source, window, pixels, "apply")
    return colors.to_uint8(found).numpy()


def _psnr(a, b):
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * np.log10(255**2 / error)


@pytest.mark.parametrize(
    "format, width, height",
    [
        ("JPEG", 500, 375),
        ("JPEG", 375, 500),
        ("JPEG", 200, 150),
        ("JPEG", 2000, 1500),
        ("turned", 501, 375),
        ("PNG", 500, 375),
        ("pixels", 500, 375),
        ("pixels", 2000, 1500),
    ],
)
def test_a_window_shows_what_resize_then_crop_shows(format, width, height):
    figures, others = [], []
    for name in NAMES:
        image = photograph(name, width, height)
        source = image
        if format == "JPEG":
            source = encoded(image, quality=95, subsampling=0)
        elif format == "turned":
            source = encoded(image[::-1, ::-1], quality=95, subsampling=0)
            source = exif_files.turned(3, source)
        elif format == "PNG":
            source = encoded(image, "PNG", compress_level=1)
        source = tf.constant(source)
        for draws in _draws(4).numpy():
            plain = _plain(image, draws)
            figures.append(_psnr(_read(source, draws), plain))
            # Negative control: a window four pixels further matches less.
            draws[2] = draws[2] + 0.02 if draws[2] < 0.5 else draws[2] - 0.02
            others.append(_psnr(_read(source, draws), plain))
    assert min(figures) > 24
    assert np.mean(figures) > 28
    assert np.mean(others) < np.mean(figures) - 3
