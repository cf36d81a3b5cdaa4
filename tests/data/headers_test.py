"""Headers agree with Pillow; what is not read is refused with a reason."""

import io
import warnings

import image_kinds
import numpy as np
import odd_images
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels import limits
from keras_resnet.data.pixels.headers import BadImageError

UNREADABLE = odd_images.unreadable()
OTHERS = {
    "one letter": (b"B", "begins with"),
    "RIFF": (b"RIFF", "begins with"),
    "PDF": (b"%PDF-1.7", "PDF"),
    "three bytes of a JPEG": (b"\xff\xd8\xff", "cut off"),
}
UNREADABLE |= OTHERS


def _more_files():
    rgb = odd_images.photograph(61, 40)
    rgba = rgb.convert("RGBA")
    rgba.putalpha(100)
    for turned in (3, 8):
        exif = Image.Exif()
        exif[0x0112] = turned
        for kind in ("PNG", "WEBP", "JPEG"):
            yield f"{kind} {turned}", odd_images.encode(rgb, kind, exif=exif)
    yield "one bit", odd_images.encode(rgb.convert("1"), "PNG")
    yield "restarts", odd_images.encode(rgb, "JPEG", restart_marker_rows=1)
    yield "alpha", odd_images.encode(rgba, "WEBP", lossless=True)
    moving = {"save_all": True, "append_images": [rgb.rotate(180)]}
    yield "moving png", odd_images.encode(rgb, "PNG", **moving)
    # A series of frames (MPO) is read as the photograph that it begins with.
    yield "film", odd_images.encode(rgb, "MPO", **moving)


FILES = {name: data for name, (data, _) in odd_images.readable().items()}
FILES |= dict(_more_files())


@pytest.mark.parametrize("name", FILES)
def test_a_header_says_what_pillow_opens_and_tensorflow_decodes(name):
    header = headers.read(FILES[name])
    image = Image.open(io.BytesIO(FILES[name]))
    is_film = image.format == "MPO"
    assert header.format == ("jpeg" if is_film else image.format.lower())
    assert (header.width, header.height) == image.size
    assert header.bits == (16 if image.mode == "I;16" else 8)
    moves = getattr(image, "is_animated", False)
    assert header.animated == (moves and not is_film)
    assert header.orientation == image.getexif().get(0x0112, 1)
    # As stored: not rotated.
    shape = decoding.decode(FILES[name]).shape
    assert shape == (header.height, header.width, 3)


def test_a_mode_is_a_word():
    modes = {headers.read(data).mode for data in FILES.values()}
    assert modes == {"grey", "palette", "RGB", "RGBA", "CMYK"}
    grey = odd_images.photograph().convert("LA")
    assert headers.read(odd_images.encode(grey, "PNG")).mode == "grey+alpha"


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_refused_has_its_reason_and_tensorflow_cannot_read_it(name):
    data, reason = UNREADABLE[name]
    with pytest.raises(BadImageError, match=reason) as refused:
        headers.read(data)
    assert decoding.problem(data) == str(refused.value)
    with pytest.raises(tf.errors.OpError):
        decoding.decode(data)


@pytest.mark.parametrize("name", image_kinds.REFUSED)
def test_a_kind_that_is_not_read_is_refused_by_graph_and_header(name):
    with pytest.raises(tf.errors.InvalidArgumentError) as refused:
        decoding.decode(image_kinds.REFUSED[name])
    with pytest.raises(BadImageError) as screened:
        headers.read(image_kinds.REFUSED[name])
    reason = decoding.reason(refused.value)
    assert reason
    assert "\n" not in reason + str(screened.value)


def test_a_bomb_is_refused_by_its_header_and_without_a_warning(recwarn):
    warnings.simplefilter("always")
    data = odd_images.png_of_size(12_000, 12_000)
    with pytest.raises(BadImageError, match="limit of 134,217,728"):
        headers.read(data)
    assert headers.read(data, 12_000**2).width == 12_000
    assert not recwarn


def test_the_canvas_of_an_animated_bomb_is_never_made():
    ihdr = odd_images.png_of_size(60_000, 60_000)[16:29]
    frame = b"\0" * 4 + ihdr[:8] + b"\0" * 12 + b"\1\0"  # clears its canvas
    chunks = ((b"IHDR", ihdr), (b"acTL", b"\0\0\0\2" + b"\0" * 4))
    bomb = odd_images.png((*chunks, (b"fcTL", frame), (b"IDAT", b"")))
    with pytest.raises(BadImageError, match="60000 x 60000 pixels, more than"):
        headers.read(bomb)


def test_a_header_without_end_is_refused():
    file = image_kinds.READ["gif: comment"]
    comment = file.index(b"!\xfe") + 2
    jpeg = odd_images.encode(odd_images.photograph(), "JPEG")
    segment = b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)
    endless = {
        "blocks": file[:comment] + b"\1x" * 2**17 + file[comment:],
        "segments": jpeg[:2] + segment * 300 + jpeg[2:],
    }
    for data in endless.values():
        with pytest.raises(BadImageError, match="too many blocks"):
            headers.read(data)
    few = file[:comment] + b"\1x" * 1_000 + file[comment:]
    assert decoding.problem(few) is None


def test_large_images_may_have_few_scans_and_small_ones_many():
    few = [(1, 2**27), (20, 2**27), (223, 12_000_000), (1_000, 1_000_000)]
    many = [(21, 2**27), (224, 12_000_000), (1_001, 1)]
    assert all(limits.are_few_scans(*case) for case in few)
    assert not any(limits.are_few_scans(*case) for case in many)


def test_the_name_of_a_chunk_makes_no_second_line():
    data = FILES["png.JPEG"].replace(b"IEND", b"I\nND")
    with pytest.raises(BadImageError, match="its unnamed chunk is wrong$"):
        headers.read(data)


@pytest.mark.filterwarnings("ignore")
def test_any_bytes_pass_or_are_refused_for_a_reason():
    rng = np.random.default_rng(0)
    passed = 0
    for data in FILES.values():
        for _ in range(50):
            mutant = bytearray(data)
            for at in rng.integers(0, min(len(mutant), 200), 3):
                mutant[at] = rng.integers(256)
            del mutant[rng.integers(1, len(mutant) + 1) :]
            try:
                header = headers.read(bytes(mutant), 10**6)
            except BadImageError as error:
                assert str(error) and "\n" not in str(error)
            else:
                passed += 1
                assert 1 <= header.width * header.height <= 10**6
    assert passed < 0.2 * 50 * len(FILES)


def test_graph_reads_no_more_than_headers_pass():
    rng, passed = np.random.default_rng(1), 0
    decode = tf.function(decoding.decode)
    kinds = image_kinds.READ.items()
    files = [f for n, f in kinds if n.split(":")[0] in ("bmp", "gif")]
    for file in files:
        for _ in range(4):
            mutant = bytearray(file)
            for at in rng.integers(2, 60, 2):
                mutant[at] = rng.integers(256)
            try:
                decode(tf.constant(bytes(mutant)))
            except tf.errors.InvalidArgumentError:
                continue
            passed += 1
            headers.read(bytes(mutant))
    assert 50 < passed < 4 * len(files)


@pytest.mark.parametrize("name", ["plain.jpg", "png.JPEG", "still.gif"])
def test_no_beginning_of_a_file_passes(name):
    data = FILES[name]
    for end in range(0, len(data) - 1, 7):
        with pytest.raises(BadImageError):
            headers.read(data[:end])
