"""Resizes and crops against Pillow, NumPy and their own definition."""

import numpy as np
import pytest
import tensorflow as tf
from photographs import photograph
from PIL import Image

from keras_resnet.data.pixels import transforms
from keras_resnet.labels.view import View

PHOTOGRAPH = photograph()


def _coordinates(height, width):
    """An image whose pixel (i, j) is (i, j, 0)."""
    i, j = np.mgrid[:height, :width]
    return np.stack([i, j, 0 * i], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("pixels", [100, 256, 427, 480])
def test_resize_agrees_with_pillow_on_a_photograph(pixels):
    ours = transforms.resize_shorter_side(PHOTOGRAPH, pixels).numpy()
    size = (640 * pixels // 427, pixels)
    theirs = np.asarray(
        Image.fromarray(PHOTOGRAPH).resize(size, Image.Resampling.BILINEAR)
    )
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(int) - theirs)
    # Pillow rounds its weights to 8 bits.
    assert difference.max() <= 2
    assert difference.mean() < 0.25
    # Without antialiasing it would not agree.
    if pixels == 100:
        plain = tf.image.resize(PHOTOGRAPH, size[::-1]).numpy()
        assert np.abs(plain - theirs).mean() > 3


@pytest.mark.parametrize("height, width", [(427, 640), (333, 201), (60, 99)])
@pytest.mark.parametrize("resize, size", [(64, 64), (100, 77), (256, 224)])
def test_evaluation_is_the_middle_of_the_whole_resized_image(
    height, width, resize, size
):
    image = PHOTOGRAPH[-height:, :width]
    whole = transforms.resize_shorter_side(image, resize).numpy()
    top = (whole.shape[0] - size) // 2
    left = (whole.shape[1] - size) // 2
    expected = whole[top : top + size, left : left + size].astype(int)
    view = transforms.evaluation(image, View(resize=resize, crop=size)).numpy()
    difference = np.abs(view - expected)
    # Sums of float32 in another order can round the other way.
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 0.01
    # Negative control: a square one pixel further differs.
    shifted = np.roll(whole, (1, 1), (0, 1))[top:, left:][:size, :size]
    assert np.abs(view - shifted.astype(int)).mean() > 0.5


def test_evaluation_of_an_image_of_the_right_size_is_the_image():
    image = PHOTOGRAPH[:32, :32]
    view = transforms.evaluation(image, View(resize=32, crop=32))
    np.testing.assert_array_equal(view, image)


def test_a_strip_of_one_pixel_needs_no_memory_for_its_resized_length():
    strip = np.repeat(PHOTOGRAPH[:1, :1], 3_000_000, axis=0)
    # Resized to a shorter side of 256 it would have 590 gigabytes of pixels.
    view = transforms.evaluation(strip, View(resize=256, crop=224)).numpy()
    np.testing.assert_array_equal(view, np.broadcast_to(strip[0], view.shape))


def test_pad_crop_shows_a_window_of_the_image_framed_in_the_mean():
    image = 100 + _coordinates(5, 5)
    image[..., 2] = 9
    padded = np.empty((9, 9, 3), np.uint8)
    padded[:] = (10, 20, 31)
    padded[2:7, 2:7] = image
    corners = [(i, j) for i in range(5) for j in range(5)]
    for mirrored in (False, True):
        crops = transforms.pad_crop(
            np.stack([image] * 25),
            tf.constant(corners),
            tf.fill([25], mirrored),
            2,
            (10.0, 20.2, 30.8),
        ).numpy()
        for crop, (i, j) in zip(crops, corners, strict=True):
            expected = padded[i : i + 5, j : j + 5]
            expected = expected[:, ::-1] if mirrored else expected
            np.testing.assert_array_equal(crop, expected)
