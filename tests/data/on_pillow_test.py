"""Pillow's pixels are those of TensorFlow's decoders and resizing."""

import itertools

import image_kinds
import numpy as np
import odd_images
import pytest
from photographs import encoded
from PIL import Image
from sklearn.datasets import load_sample_image

from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import on_pillow
from keras_resnet.data.pixels import transforms
from keras_resnet.labels.view import View

FILES = image_kinds.READ | {
    name: file for name, (file, _) in odd_images.readable().items()
}


def _jpegs():
    photograph = odd_images.photograph(101, 67)
    for subsampling, quality, progressive in itertools.product(
        (0, 1, 2), (30, 75, 97), (False, True)
    ):
        yield encoded(
            photograph,
            "JPEG",
            subsampling=subsampling,
            quality=quality,
            progressive=progressive,
        )


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_decoded_pixels_are_tensorflows(exif):
    files = [*FILES.values(), *_jpegs()]
    found = [(file, on_pillow.decode(file, exif)) for file in files]
    left = [file for file, pixels in found if pixels is None]
    for file, pixels in found:
        if pixels is not None:
            assert pixels.dtype == np.uint8
            np.testing.assert_array_equal(pixels, decoding.decode(file, exif))
    # Only TensorFlow reads GIF and 16-bit PNG.
    assert left and len(left) < len(files) / 3
    for file in left:
        assert file[:3] == b"GIF" or (file[:4], file[24]) == (b"\x89PNG", 16)


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
@pytest.mark.parametrize(
    "view",
    [
        View(resize=256, crop=224),
        View(resize=32, crop=32),
        View(resize=480, crop=448),
        View(resize=71, crop=64),
    ],
    ids=lambda view: str(view.resize),
)
def test_views_are_tensorflows_but_for_one_of_255(name, view):
    for image in (load_sample_image(name), load_sample_image(name)[30:, :101]):
        actual = on_pillow.evaluation(image, view)
        expected = transforms.evaluation(image, view).numpy()
        difference = np.abs(actual.astype(int) - expected)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.005
        # Pillow's own resize rounds twice: also between rows and columns.
        box = view.part(*image.shape[:2])
        theirs = Image.fromarray(image).resize(
            (view.crop, view.crop),
            Image.Resampling.BILINEAR,
            (box[1], box[0], box[3], box[2]),
        )
        difference = np.abs(np.asarray(theirs).astype(int) - expected)
        assert (difference > 0).mean() > 0.005
