"""Windows of an image, resized: only the pixels that survive are decoded.

A window is chosen from the size in the header, then read in one go: a JPEG is
decoded from the first row of the window to its last, at the smallest scale of
1, 1/2, 1/4 and 1/8 that leaves no fewer pixels than are asked for (the
decoder's DCT scaling, nearly the mean of each square block), and resized once,
bilinearly. Other formats are decoded whole and shrunk by the means of square
blocks instead.

`header` reads the header of one image. `choose` picks what to decode for any
number of images at once, which takes fewer small operations. `read` then
decodes each.

The price: the window's edges are rounded to decoded pixels, so that nothing is
taken further than half such a pixel from where a resize of the whole image
would take it; and the last shrinking, by less than 2, is not antialiased. On
photographs the PSNR against Pillow's resize of the whole image is 24 dB and
more (31 dB in the mean); `docs/PERFORMANCE.md` tells the two apart.
"""

import typing

import tensorflow as tf

from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import jpegs
from keras_resnet.data.pixels import orientations

# DCT scaling of the decoder; each is a branch in the graph.
RATIOS = (1, 2, 4, 8)


class Header(typing.NamedTuple):
    """What a file says before it is decoded; for one image or many.

    Attributes:
        size: int32 (..., 2), height and width as stored; 1 x 1 if it is
            not a JPEG.
        simple: bool (...), whether it is a whole JPEG of few scans, of which
            a part can be decoded.
        orientation: int32 (...), see `orientations`.
    """

    size: tf.Tensor
    simple: tf.Tensor
    orientation: tf.Tensor


class Part(typing.NamedTuple):
    """What to decode of a file; for one image or many.

    Attributes:
        crop: int32 (..., 4), top, left, height and width in the stored image,
            in pixels after it is shrunk.
        branch: int32 (...), place of the ratio in RATIOS; len(RATIOS) where
            the whole image is decoded.
        orientation: of the header.
    """

    crop: tf.Tensor
    branch: tf.Tensor
    orientation: tf.Tensor


def header(encoded, exif):
    """The `Header` of a file.

    Args:
        encoded: string scalar.
        exif: key of `labels.view.EXIF`.
    """
    orientation = orientations.read(encoded, exif)
    if orientation is None:
        orientation = tf.constant(orientations.UPRIGHT)
    return Header(*jpegs.look(encoded), orientation)


def choose(header, window, pixels):
    """The `Part` that shows a window.

    Args:
        header: `Header`.
        window: function from int32 (..., 2), height and width of the upright
            image, to float32 (..., 4), top, left, height and width of a
            window in it.
        pixels: side of the square that the window becomes.
    """
    size = orientations.turned_size(header.size, header.orientation)
    box = window(size)
    index = _ratio_index(box, pixels)
    ratio = tf.gather(RATIOS, index)[..., tf.newaxis]
    grid = -(-size // ratio)
    box = _from_stored_edges(box, grid * ratio - size, header.orientation)
    corner, extent = _on_grid(box, grid, ratio)
    simple = header.simple & decoding.is_allowed(size)
    return Part(
        orientations.stored_window(corner, extent, grid, header.orientation),
        tf.where(simple, index, len(RATIOS)),
        header.orientation,
    )


def read(source, window, pixels, exif="ignore", chosen=None):
    """A window of an image as a square.

    Args:
        source: string scalar, an encoded image; or uint8 (H, W, 3).
        window: function from int32 (2,), height and width, to float32 (4,),
            top, left, height and width of a window in that image.
        pixels: side of the square, S.
        exif: key of `labels.view.EXIF`; the window lies in the image after it
            is turned.
        chosen: the `Part` of an encoded image where it is known.

    Returns:
        float32 (S, S, 3), 0..255, not rounded.

    Raises:
        tf.errors.InvalidArgumentError: if the image cannot be read.
    """
    source = tf.convert_to_tensor(source)
    if source.dtype == tf.string:
        chosen = chosen or choose(header(source, exif), window, pixels)
        found = _decode_part(source, window, chosen, pixels, exif)
    else:
        found = _cut_part(source, window(tf.shape(source)[:2]), pixels)
    resized = tf.raw_ops.ResizeBilinear(
        images=found[tf.newaxis], size=[pixels, pixels], half_pixel_centers=True
    )
    return tf.squeeze(resized, 0)


def _decode_part(encoded, window, chosen, pixels, exif):
    def decode_at(ratio):
        return tf.io.decode_and_crop_jpeg(
            encoded, chosen.crop, channels=3, ratio=ratio
        )

    def decode_whole():
        # This also refuses an image that is too large.
        image = decoding.decode(encoded, exif)
        return _cut_part(image, window(tf.shape(image)[:2]), pixels)

    if not tf.executing_eagerly():
        # A call, not a part of the graph: the operations of a branch that is
        # not taken cost time too, together a tenth of a decoded crop.
        decode_whole = tf.function(
            decode_whole,
            autograph=False,
            experimental_attributes={"_noinline": True},
        )
    branches = [lambda ratio=ratio: decode_at(ratio) for ratio in RATIOS]
    found = tf.switch_case(chosen.branch, [*branches, decode_whole])
    if exif != "ignore":
        # What is decoded whole is turned already.
        is_part = chosen.branch < len(RATIOS)
        turned = tf.where(is_part, chosen.orientation, orientations.UPRIGHT)
        found = orientations.turn(found, turned)
    return tf.ensure_shape(found, (None, None, 3))


def _from_stored_edges(box, rest, orientation):
    """A box whose places count from the edges where the stored image begins.

    The decoder's blocks start there; the last row and column of them reach
    `rest` pixels, int32 (..., 2), beyond the image.
    """
    shift = tf.where(orientations.mirrors(orientation), rest, 0)
    moved = box[..., :2] + tf.cast(shift, tf.float32)
    return tf.concat([moved, box[..., 2:]], axis=-1)


def _cut_part(image, box, pixels):
    """The window of a decoded image, shrunk by the means of square blocks."""
    ratio = tf.gather(RATIOS, _ratio_index(box, pixels))
    corner, extent = _on_grid(box, tf.shape(image)[:2] // ratio, ratio)
    start, stop = ratio * corner, ratio * (corner + extent)
    cut = image[start[0] : stop[0], start[1] : stop[1]]

    def shrink():
        squares = tf.reshape(
            tf.cast(cut, tf.float32),
            tf.stack([extent[0], ratio, extent[1], ratio, 3]),
        )
        means = tf.round(tf.reduce_mean(squares, axis=(1, 3)))
        return tf.cast(means, tf.uint8)

    return tf.cond(ratio > 1, shrink, lambda: cut)


def _ratio_index(box, pixels):
    shrinks = tf.reduce_min(box[..., 2:], axis=-1, keepdims=True) / pixels
    return tf.reduce_sum(tf.cast(shrinks >= RATIOS[1:], tf.int32), axis=-1)


def _on_grid(box, size, ratio):
    """Corner and extent, int32 (..., 2), on an image shrunk by the ratio."""
    box = box / tf.cast(ratio, tf.float32)
    first = tf.cast(tf.round(box[..., :2]), tf.int32)
    last = tf.cast(tf.round(box[..., :2] + box[..., 2:]), tf.int32)
    first = tf.minimum(first, size - 1)
    last = tf.clip_by_value(last, first + 1, size)
    return first, last - first
