"""What is decoded and how, and what is refused before it is decoded."""

import functools
import io
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
from keras_resnet.data.pixels import parts

PIXELS = photograph()[:40, :30]
READ = image_kinds.READ


@pytest.mark.parametrize(
    "format, mode",
    [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("WebP", "RGB")],
)
def test_a_lossy_format_becomes_rgb_nearly_as_pillow_has_it(format, mode):
    file = encoded(Image.fromarray(PIXELS).convert(mode), format)
    np.testing.assert_array_equal(decoding.header_size(file), (40, 30))
    decoded = decoding.decode(file)
    assert decoded.dtype == tf.uint8
    assert decoding.problem(file) is None
    with Image.open(io.BytesIO(file)) as stored:
        theirs = np.asarray(stored.convert("RGB"))
    difference = np.abs(decoded.numpy().astype(int) - theirs)
    # Two decoders of a CMYK JPEG or a WebP do not agree exactly.
    assert difference.mean() < (4 if mode == "CMYK" else 1)


@pytest.mark.parametrize("format", ["bmp", "png", "gif", "webp"])
def test_every_kind_that_is_read_has_the_pixels_that_pillow_reads(format):
    files = {n: file for n, file in READ.items() if n.startswith(format)}
    assert len(files) >= 10
    for name, file in files.items():
        theirs = image_kinds.pillow(file)
        np.testing.assert_array_equal(decoding.decode(file), theirs, name)
        size = decoding.header_size(file)
        np.testing.assert_array_equal(size, theirs.shape[:2], name)
        assert decoding.problem(file) is None, name


def _run_where_it_is(graph):
    """Names of a graph's operations, with those of its branches and loops.

    TensorFlow prepares the operations of a function call only when it runs.
    """
    functions = {f.signature.name: f for f in graph.library.function}
    todo, seen = [graph.node], []
    while todo:
        for node in todo.pop():
            seen.append(node.op)
            if "Call" in node.op:
                continue
            for value in node.attr.values():
                called = [value.func, *value.list.func]
                todo += [functions[f.name].node_def for f in called if f.name]
    return seen


def test_a_jpeg_costs_no_operation_of_the_rarer_formats():
    spec = tf.TensorSpec((), tf.string)
    decode = tf.function(decoding.decode, autograph=False)
    graph = decode.get_concrete_function(spec).graph.as_graph_def()
    own = _run_where_it_is(graph)
    assert "DecodeJpeg" in own
    everywhere = [n.op for f in graph.library.function for n in f.node_def]
    for operation in ("DecodePng", "DecodeGif", "DecodeImage", "DecodeRaw"):
        assert operation in everywhere and operation not in own


def test_palettes_are_no_grey_values():
    # TensorFlow's decoder takes the palette indices of an 8-bit BMP for grey.
    file = READ["bmp: 8 bits"]
    indices = tf.io.decode_bmp(file, channels=0)
    assert np.abs(indices - image_kinds.pillow(file)).max() > 200


def test_frames_behind_a_gif_s_first_are_not_decoded():
    # Decoding the second frame would take 3.6 GB.
    file = READ["gif: large second frame"]
    before = _peak_megabytes()
    np.testing.assert_array_equal(
        decoding.decode(file), image_kinds.pillow(file)
    )
    assert _peak_megabytes() - before < 100


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


@functools.cache
def _part_reader():
    return tf.function(
        lambda file: parts.read(file, lambda size: tf.zeros(4) + 8.0, 8),
        autograph=False,
    )


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_from_its_header(name):
    bomb = tf.constant(BOMBS[name])
    # Decoding would allocate at least 400 MB, which the peak would show.
    before = _peak_megabytes()
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        decoding.decode(bomb)
    with pytest.raises(tf.errors.InvalidArgumentError):
        _part_reader()(bomb)
    assert _peak_megabytes() - before < 100
    assert "more than the limit" in decoding.problem(BOMBS[name])


def _peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_the_limit_lets_134_megapixels_pass():
    assert decoding.is_allowed(tf.constant([8192, 16_384]))
    assert not decoding.is_allowed(tf.constant([8193, 16_384]))
    assert not decoding.is_allowed(tf.constant([0, 16_384]))
