"""Transforms against Pillow, NumPy and their own definition."""

import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_image

from keras_resnet import errors
from keras_resnet.data import transforms

PHOTOGRAPH = load_sample_image("china.jpg")  # 427 x 640


def _seeds(n):
    return [tf.constant([i, 7 * i + 1], tf.int32) for i in range(n)]


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


def test_resize_without_antialias_would_not_agree_with_pillow():
    plain = tf.image.resize(PHOTOGRAPH, (100, 149)).numpy()
    theirs = np.asarray(
        Image.fromarray(PHOTOGRAPH).resize(
            (149, 100), Image.Resampling.BILINEAR
        )
    )
    assert np.abs(plain - theirs).mean() > 3


@pytest.mark.parametrize("height, width", [(300, 200), (201, 333), (64, 64)])
def test_resize_keeps_the_aspect_and_sets_the_shorter_side(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    shape = transforms.resize_shorter_side(image, 50).shape
    assert min(shape[:2]) == 50
    assert (
        abs(max(shape[:2]) - 50 * max(height, width) / min(height, width)) <= 1
    )


def test_center_crop_takes_the_middle():
    image = _coordinates(10, 20)
    crop = transforms.center_crop(image, 6).numpy()
    np.testing.assert_array_equal(crop, image[2:8, 7:13])


def test_scales_are_uniform_integers_with_both_ends():
    image = np.zeros((30, 40, 3), np.uint8)
    sides = [
        min(transforms.random_scale(image, seed, 8, 16).shape[:2])
        for seed in _seeds(900)
    ]
    counts = np.bincount(sides, minlength=17)[8:]
    assert len(sides) == counts.sum()
    # Chi-square with 8 degrees of freedom: above 26 once in 1,000.
    assert ((counts - 100) ** 2 / 100).sum() < 26


def test_crops_are_uniform_over_all_positions():
    image = _coordinates(6, 7)
    corners = [
        tuple(transforms.random_crop(image, seed, 5).numpy()[0, 0, :2])
        for seed in _seeds(600)
    ]
    counts = np.array(
        [corners.count((i, j)) for i in (0, 1) for j in (0, 1, 2)]
    )
    assert counts.sum() == 600
    # Chi-square with 5 degrees of freedom: above 20.5 once in 1,000.
    assert ((counts - 100) ** 2 / 100).sum() < 20.5


def test_half_of_the_images_are_mirrored():
    image = _coordinates(3, 4)
    mirrored = 0
    for seed in _seeds(400):
        result = transforms.random_flip(image, seed).numpy()
        if not np.array_equal(result, image):
            np.testing.assert_array_equal(result, image[:, ::-1])
            mirrored += 1
    assert 160 < mirrored < 240  # 4 standard deviations


def test_pca_color_shifts_all_pixels_alike_with_alexnets_covariance():
    grey = np.full((2, 2, 3), 128, np.uint8)
    shifts = []
    for seed in _seeds(1500):
        result = transforms.pca_color(grey, seed).numpy().astype(int)
        assert (result == result[0, 0]).all()
        shifts.append(result[0, 0] - 128)
    vectors = np.array(transforms.PCA_VECTORS)
    deviations = 0.1 * np.array(transforms.PCA_DEVIATIONS) * 255
    expected = vectors @ np.diag(deviations**2) @ vectors.T
    # 1/12 is the variance of rounding to integers.
    measured = np.cov(np.array(shifts).T) - np.eye(3) / 12
    np.testing.assert_allclose(measured, expected, rtol=0.15)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=2e-3)


def test_pad_crop_shows_a_window_of_the_image_framed_in_the_mean():
    image = 100 + _coordinates(5, 5)
    image[..., 2] = 9
    padded = np.empty((9, 9, 3), np.uint8)
    padded[:] = (10, 20, 31)
    padded[2:7, 2:7] = image
    found = set()
    for seed in _seeds(300):
        crop = transforms.pad_crop(image, seed, 2, (10.0, 20.2, 30.8)).numpy()
        places = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(crop, padded[i : i + 5, j : j + 5])
        ]
        assert len(places) == 1
        found.update(places)
    assert len(found) == 25


RECIPE = types.SimpleNamespace(
    image_size=32, eval_resize=36, pad_pixels=4, scale_range=(36, 48)
)


@pytest.mark.parametrize("name", transforms.AUGMENTATIONS)
def test_augmentations_are_pure_and_equal_eager_and_in_a_graph(name):
    augment = transforms.AUGMENTATIONS[name]
    fill = (123.0, 116.0, 103.0)
    graph = tf.function(lambda image, seed: augment(image, seed, RECIPE, fill))
    results = []
    for seed in _seeds(3):
        eager = augment(PHOTOGRAPH, seed, RECIPE, fill).numpy()
        assert eager.shape == (32, 32, 3)
        assert eager.dtype == np.uint8
        np.testing.assert_array_equal(
            eager, augment(PHOTOGRAPH, seed, RECIPE, fill)
        )
        np.testing.assert_array_equal(eager, graph(PHOTOGRAPH, seed))
        results.append(eager)
    if name != "none":
        assert not np.array_equal(results[0], results[1])


def test_digits_are_never_mirrored():
    image = _coordinates(32, 32)
    recipe = types.SimpleNamespace(image_size=32, eval_resize=32, pad_pixels=0)
    for seed in _seeds(20):
        result = transforms.AUGMENTATIONS["pad_crop"](
            image, seed, recipe, (0.0,) * 3
        )
        np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("format, mode", [("PNG", "L"), ("PNG", "RGBA"),
                                          ("PNG", "P"), ("JPEG", "L"),
                                          ("JPEG", "CMYK"), ("BMP", "RGB"),
                                          ("GIF", "P")])  # fmt: skip
def test_decode_gives_rgb(tmp_path, format, mode):
    path = tmp_path / f"image.{format}"
    Image.fromarray(PHOTOGRAPH[:40, :30]).convert(mode).save(path, format)
    decoded = transforms.decode(tf.io.read_file(str(path)))
    assert decoded.shape == (40, 30, 3)
    assert decoded.dtype == tf.uint8


def test_unknown_augmentation_names_the_nearest():
    with pytest.raises(errors.UsageError, match="Did you mean 'imagenet'"):
        transforms.augmentation("imagnet")
