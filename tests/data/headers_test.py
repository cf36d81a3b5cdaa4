"""Headers are read as Pillow reads them; what cannot be decoded is known."""

import io
import warnings

import numpy as np
import odd_images
import pytest
import tensorflow as tf
from PIL import Image
from PIL import ImageOps

from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels.headers import BadImageError
from keras_resnet.data.survey import scanning

READABLE = odd_images.readable()
UNREADABLE = odd_images.unreadable()

PILLOW_MODES = {
    "1": "grey",
    "L": "grey",
    "I;16": "grey",
    "LA": "grey+alpha",
    "P": "palette",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "CMYK": "CMYK",
}


def _webp_files():
    rgb = odd_images.photograph(61, 40)
    rgba = rgb.convert("RGBA")
    rgba.putalpha(100)
    yield "lossy", odd_images.encode(rgb, "WEBP")
    yield "lossless", odd_images.encode(rgb, "WEBP", lossless=True)
    yield "alpha", odd_images.encode(rgba, "WEBP", lossless=True)
    yield "lossy alpha", odd_images.encode(rgba, "WEBP")
    exif = Image.Exif()
    exif[0x0112] = 3
    yield "rotated", odd_images.encode(rgb, "WEBP", exif=exif)


def _more_files():
    rgb = odd_images.photograph(61, 40)
    exif = Image.Exif()
    exif[0x0112] = 8
    grey_alpha = rgb.convert("LA")
    yield "grey and alpha", odd_images.encode(grey_alpha, "PNG")
    yield "one bit", odd_images.encode(rgb.convert("1"), "PNG")
    yield "rotated png", odd_images.encode(rgb, "PNG", exif=exif)
    yield "restarts", odd_images.encode(rgb, "JPEG", restart_marker_rows=1)
    yield (
        "moving png",
        odd_images.encode(
            rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)]
        ),
    )
    yield from _webp_files()


FILES = {name: data for name, (data, _) in READABLE.items()}
FILES |= dict(_more_files())


@pytest.mark.parametrize("name", FILES)
def test_a_header_says_what_pillow_reads(name):
    header = headers.read(FILES[name])
    image = Image.open(io.BytesIO(FILES[name]))
    assert header.format == image.format.lower()
    assert (header.width, header.height) == image.size
    assert header.mode == PILLOW_MODES[image.mode]
    assert header.bits == (16 if image.mode == "I;16" else 8)
    assert header.animated == getattr(image, "is_animated", False)
    assert header.orientation == image.getexif().get(0x0112, 1)


@pytest.mark.parametrize("name", FILES)
def test_what_passes_is_decoded_to_that_size_and_not_rotated(name):
    header = headers.read(FILES[name])
    pixels = scanning.pixels(FILES[name])
    assert pixels.shape == (header.height, header.width, 3)


def test_the_rotated_one_would_be_another_image_if_it_were_turned():
    data = READABLE["rotated.jpg"][0]
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert turned.size == scanning.pixels(data).shape[:2] == (40, 60)


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_unreadable_is_refused_with_its_reason(name):
    data, reason = UNREADABLE[name]
    with pytest.raises(BadImageError, match=reason):
        headers.read(data)


@pytest.mark.parametrize("name", UNREADABLE)
def test_tensorflow_cannot_read_what_is_refused(name):
    with pytest.raises(tf.errors.OpError):
        scanning.pixels(UNREADABLE[name][0])


def test_a_bomb_is_refused_by_its_header_and_without_a_warning(recwarn):
    warnings.simplefilter("always")
    data = odd_images.png_of_size(12_000, 12_000)
    with pytest.raises(BadImageError, match="limit of 134,217,728"):
        headers.read(data)
    assert headers.read(data, 12_000**2).width == 12_000
    assert not recwarn


def test_the_name_of_a_chunk_makes_no_second_line():
    data = READABLE["png.JPEG"][0].replace(b"IEND", b"I\nND")
    with pytest.raises(BadImageError, match="its unnamed chunk is wrong$"):
        headers.read(data)


def test_any_bytes_pass_or_are_refused_for_a_reason():
    rng = np.random.default_rng(0)
    passed = 0
    for data in FILES.values():
        for _ in range(100):
            mutant = bytearray(data)
            for at in rng.integers(0, min(len(mutant), 200), 3):
                mutant[at] = rng.integers(256)
            del mutant[rng.integers(1, len(mutant) + 1) :]
            try:
                header = headers.read(bytes(mutant), 10**6)
            except BadImageError as error:
                assert str(error)
            else:
                passed += 1
                assert 1 <= header.width * header.height <= 10**6
    assert passed < 0.2 * 100 * len(FILES)


@pytest.mark.parametrize("name", ["plain.jpg", "png.JPEG", "still.gif"])
def test_no_beginning_of_a_file_passes(name):
    data = READABLE[name][0]
    for end in range(0, len(data) - 1, 7):
        with pytest.raises(BadImageError):
            headers.read(data[:end])
