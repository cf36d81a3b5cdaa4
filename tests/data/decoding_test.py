"""What is decoded and how, and what is refused before it is decoded."""

import io
import re
import resource
import struct

import image_kinds
import numpy as np
import pytest
import tensorflow as tf
from odd_images import png_of_size
from photographs import encoded
from photographs import photograph
from PIL import Image

from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels import windows
from keras_resnet.data.pixels.headers import BadImageError

PIXELS = photograph()[:40, :30]


@pytest.mark.parametrize(
    "format, mode",
    [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGB"),
        ("PNG", "L"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "LA"),
        ("PNG", "I;16"),
        ("PNG", "1"),
        ("BMP", "RGB"),
        ("BMP", "L"),
        ("GIF", "P"),
        ("WebP", "RGB"),
    ],
)
def test_every_format_becomes_rgb_as_pillow_has_it(format, mode):
    image = Image.fromarray(PIXELS)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    else:
        image = image.convert(mode)
    file = encoded(image, format)
    np.testing.assert_array_equal(decoding.header_size(file), (40, 30))
    decoded = decoding.decode(file)
    assert decoded.shape == (40, 30, 3)
    assert decoded.dtype == tf.uint8
    assert decoding.problem(file) is None
    with Image.open(io.BytesIO(file)) as stored:
        if mode == "I;16":
            theirs = np.asarray(stored) // 257
            theirs = np.repeat(theirs[..., np.newaxis], 3, -1)
        else:
            theirs = np.asarray(stored.convert("RGB"))
    difference = np.abs(decoded.numpy().astype(int) - theirs)
    # The others are exact; two decoders of a CMYK JPEG or a WebP are not.
    assert difference.mean() < (4 if mode == "CMYK" else 1)


READ, REFUSED = image_kinds.READ, image_kinds.REFUSED


@pytest.mark.parametrize("format", ["bmp", "png", "gif", "webp"])
def test_every_kind_that_is_read_has_the_pixels_that_pillow_reads(format):
    names = [name for name in READ if name.startswith(format)]
    wrong = {
        name: np.abs(decoding.decode(READ[name]) - theirs).max()
        for name, theirs in ((n, image_kinds.pillow(READ[n])) for n in names)
        if (decoding.decode(READ[name]).numpy() != theirs).any()
    }
    assert not wrong
    assert len(names) >= 10
    problems = {name: decoding.problem(READ[name]) for name in names}
    assert set(problems.values()) == {None}, problems


def test_palettes_are_no_grey_values():
    # What TensorFlow's decoder takes an 8-bit BMP for.
    file = READ["bmp: 8 bits"]
    indices = tf.io.decode_bmp(file, channels=0)
    assert np.abs(indices - image_kinds.pillow(file)).max() > 200


@pytest.mark.parametrize("name", REFUSED)
def test_every_other_kind_is_refused_in_one_line_by_graph_and_header(name):
    with pytest.raises(tf.errors.InvalidArgumentError) as refused:
        decoding.decode(REFUSED[name])
    with pytest.raises(BadImageError) as screened:
        headers.read(REFUSED[name])
    reason = decoding.reason(refused.value)
    assert reason
    assert "\n" not in reason + str(screened.value)
    assert decoding.problem(REFUSED[name]) == str(screened.value)


def test_header_and_graph_agree_on_headers_with_random_bytes():
    rng, passed = np.random.default_rng(1), 0
    files = [f for n, f in READ.items() if n.split(":")[0] in ("bmp", "gif")]
    for file in files:
        for _ in range(4):
            mutant = bytearray(file)
            for at in rng.integers(2, 60, 2):
                mutant[at] = rng.integers(256)
            mutant = bytes(mutant)
            try:
                decoding.decode(mutant)
                passed += 1
            except tf.errors.InvalidArgumentError:
                continue
            headers.read(mutant)
    assert 50 < passed < 4 * len(files)


def test_frames_behind_a_gif_s_first_are_not_decoded():
    # Decoding this one would take 3.6 GB.
    file = READ["gif: large second frame"]
    before = _peak_megabytes()
    np.testing.assert_array_equal(
        decoding.decode(file), image_kinds.pillow(file)
    )
    assert _peak_megabytes() - before < 100


def test_a_gif_of_very_many_blocks_is_refused():
    file = READ["gif: comment"]
    comment = file.index(b"!\xfe") + 2
    many = file[:comment] + b"\1x" * 2**17 + file[comment:]
    assert "too many blocks" in decoding.problem(many)
    few = file[:comment] + b"\1x" * 1000 + file[comment:]
    assert decoding.problem(few) is None


def test_an_animated_gif_gives_its_first_frame():
    frames = [
        Image.fromarray(np.full((8, 9, 3), grey, np.uint8))
        for grey in (50, 250)
    ]
    file = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(file)) as stored:
        assert stored.n_frames == 2
    np.testing.assert_array_equal(
        decoding.decode(file), 50 + np.zeros((8, 9, 3))
    )


def test_an_exif_rotation_is_not_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = encoded(PIXELS, "JPEG", exif=exif)
    assert decoding.decode(file).shape == (40, 30, 3)


def test_an_extended_webp_has_its_size_in_its_header():
    exif = Image.Exif()
    exif[0x0112] = 1
    for options in ({"exif": exif}, {"lossless": True}, {"quality": 50}):
        file = encoded(PIXELS, "WebP", **options)
        np.testing.assert_array_equal(decoding.header_size(file), (40, 30))


def _jpeg_claiming(width, height):
    file = bytearray(encoded(PIXELS, "JPEG"))
    frame = file.index(b"\xff\xc0") + 5
    file[frame : frame + 4] = struct.pack(">HH", height, width)
    return bytes(file)


def _bmp_claiming(width, height):
    file = bytearray(encoded(PIXELS, "BMP"))
    file[18:26] = struct.pack("<ii", width, height)
    return bytes(file)


BOMBS = {
    "PNG": png_of_size(12_000, 12_000),
    "PNG 2": png_of_size(2**31 - 1, 2**31 - 1),
    "JPEG": _jpeg_claiming(13_000, 13_000),
    "JPEG 2": _jpeg_claiming(65_000, 65_000),
    "BMP": _bmp_claiming(20_000, -20_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_from_its_header(name):
    bomb = tf.constant(BOMBS[name])
    window = lambda size: tf.zeros(4) + 8.0  # noqa: E731
    graph = tf.function(lambda file: windows.read(file, window, 8))
    # Decoding allocates at least 400 MB, so it would be seen.
    before = _peak_megabytes()
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        decoding.decode(bomb)
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph(bomb)
    assert _peak_megabytes() - before < 100
    assert "more than the limit" in decoding.problem(BOMBS[name])


def _peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_the_limit_lets_134_megapixels_pass():
    assert decoding.is_allowed(tf.constant([8192, 16_384]))
    assert not decoding.is_allowed(tf.constant([8193, 16_384]))
    assert not decoding.is_allowed(tf.constant([0, 16_384]))


@pytest.mark.parametrize(
    "file, reason",
    [
        (b"", "empty"),
        (b"<html>not found</html>", "HTML"),
        (encoded(PIXELS, "TIFF"), "TIFF"),
        (encoded(PIXELS, "JPEG")[:300], "cut off|truncated|damaged"),
        (encoded(PIXELS, "JPEG")[:-20], "truncated"),
        (encoded(PIXELS, "PNG")[:-20], "truncated|checksum"),
        (encoded(PIXELS, "GIF")[:-20], "truncated"),
        (encoded(PIXELS, "PNG")[:20], "cut off"),
        (b"\xff\xd8\xff", "cut off|damaged"),
        (b"RIFF", "begins with"),
        (b"B", "begins with"),
    ],
    ids=range(11),
)
def test_a_problem_is_named_in_one_line(file, reason):
    problem = decoding.problem(file)
    assert re.search(reason, problem)
    assert "\n" not in problem
