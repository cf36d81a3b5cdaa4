"""Windows of an image, resized: only the pixels that survive are decoded.

A window is chosen from the size in the header, then read in one go: a JPEG is
decoded from the first row of the window to its last, at the greatest of the
ratios 1, 1/2, 1/4 and 1/8 that leaves no fewer pixels than are asked for (the
decoder's DCT scaling, nearly a mean of squares), and resized once, bilinearly.
Other formats are decoded whole and shrunk by means of squares instead.

What this gives away: the window's edges are rounded to pixels of what was
decoded, so that nothing is taken further than half such a pixel from where a
resize of the whole image would take it; and the last shrinking, by less than
2, is not antialiased. On photographs the result is 24 dB and more (31 dB in
the mean) from Pillow's resize of the whole image; `docs/PERFORMANCE.md` tells
the two apart.
"""

import tensorflow as tf

from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import jpegs
from keras_resnet.data.pixels import orientations
from keras_resnet.data.pixels import randomness

# DCT scaling of the decoder; each with a branch in the graph.
RATIOS = (1, 2, 4, 8)


SCALE_CROP_DRAWS = 3


def scale_crop(size, draws, low, high, pixels):
    """A square of the image resized to a random shorter side (P1 3.4).

    Args:
        size: int32 (2,), height and width.
        draws: float32 (SCALE_CROP_DRAWS,), uniform: scale, place from the top
            and from the left.
        low, high: pixels of the shorter side, both included.
        pixels: side of the square after the resize, at most `low`.

    Returns:
        float32 (4,): top, left, height and width of the window in pixels of
        the image.
    """
    shorter = low + randomness.integer(draws[0], high - low + 1)
    # A long strip of one pixel's width, resized, can exceed int32.
    size, shorter = tf.cast(size, tf.int64), tf.cast(shorter, tf.int64)
    resized = tf.cast(size * shorter // tf.reduce_min(size), tf.float32)
    corner = tf.floor(draws[1:] * (resized - pixels + 1))
    pixel = tf.cast(size, tf.float32) / resized
    return tf.concat([corner * pixel, pixels * pixel], 0)


# Szegedy et al. 2015, sec. 6; torchvision's and fb.resnet.torch's numbers.
AREA = (0.08, 1.0)
ASPECT = (3 / 4, 4 / 3)
ATTEMPTS = 10
DRAWS = 2 * ATTEMPTS + 2  # that any window takes at most


def rectangles(draws, whole, area, aspect):
    """The rectangles that are tried until one fits.

    Args:
        draws: float32 (2 * ATTEMPTS + 2,), uniform.
        whole: number, the area of the image, pixels.
        area: least and greatest part of it.
        aspect: least and greatest aspect, the one side by the other.

    Returns:
        The one side and the other, float32 (ATTEMPTS,) both, whole numbers;
        and the last two draws.
    """
    areas, aspects, place = tf.split(draws, [ATTEMPTS, ATTEMPTS, 2])
    areas = whole * (area[0] + (area[1] - area[0]) * areas)
    low, high = tf.math.log(aspect[0]), tf.math.log(aspect[1])
    aspects = tf.exp(low + (high - low) * aspects)
    one = tf.round(tf.sqrt(areas * aspects))
    return one, tf.round(tf.sqrt(areas / aspects)), place


def area_crop(size, draws):
    """A window of random area and aspect (P2 sec. 5, Szegedy et al. 2015).

    Its area is uniform in AREA of the image's, the logarithm of its aspect
    (width over height) in ASPECT. Of ATTEMPTS such windows the first that fits
    is placed uniformly; if none does, the central one of the nearest aspect in
    ASPECT is taken. This is torchvision's RandomResizedCrop.

    Args:
        size: int32 (2,), height and width.
        draws: float32 (DRAWS,), uniform.

    Returns:
        float32 (4,): top, left, height, width; whole numbers.
    """
    height, width = tf.unstack(tf.cast(size, tf.float32))
    widths, heights, place = rectangles(draws, height * width, AREA, ASPECT)
    fits = (widths <= width) & (heights <= height)
    fits &= (widths >= 1) & (heights >= 1)
    first = tf.argmax(fits)
    tried = tf.stack([heights[first], widths[first]])
    aspect = tf.clip_by_value(width / height, *ASPECT)
    central = tf.maximum(
        tf.round(
            tf.stack(
                [
                    tf.minimum(height, width / aspect),
                    tf.minimum(width, height * aspect),
                ]
            )
        ),
        1.0,
    )
    free = tf.stack([height, width]) - tried
    return tf.where(
        tf.reduce_any(fits),
        tf.concat([tf.floor(place * (free + 1)), tried], 0),
        tf.concat(
            [(tf.stack([height, width]) - central) // 2, central], axis=0
        ),
    )


def read(source, window, pixels, exif="ignore"):
    """A window of an image as a square.

    Args:
        source: string scalar, an encoded image; or uint8 (H, W, 3).
        window: function from int32 (2,), height and width, to float32 (4,),
            top, left, height and width of a window in that image.
        pixels: side of the square, S.
        exif: key of `labels.view.EXIF`; the window is one of the image that
            it makes.

    Returns:
        float32 (S, S, 3), 0..255, not rounded.

    Raises:
        tf.errors.InvalidArgumentError: if the image cannot be read.
    """
    source = tf.convert_to_tensor(source)
    if source.dtype == tf.string:
        part = _decode_part(source, window, pixels, exif)
    else:
        part = _cut_part(source, window(tf.shape(source)[:2]), pixels)
    resized = tf.raw_ops.ResizeBilinear(
        images=part[tf.newaxis], size=[pixels, pixels], half_pixel_centers=True
    )
    return resized[0]


def _decode_part(encoded, window, pixels, exif):
    stored = jpegs.size(encoded)
    orientation = orientations.read(encoded, exif)
    size = orientations.turned_size(stored, orientation)
    box = window(size)
    index = _ratio_index(box, pixels)
    ratio = tf.gather(RATIOS, index)
    grid = -(-size // ratio)
    if orientation is not None:
        box = _from_stored_edges(box, grid * ratio - size, orientation)
    corner, extent = _on_grid(box, grid, ratio)
    crop = orientations.stored_window(corner, extent, grid, orientation)

    def decode_at(ratio):
        return tf.io.decode_and_crop_jpeg(
            encoded, crop, channels=3, ratio=ratio
        )

    def decode_whole():
        # Refuses what is too large, too.
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
    simple = jpegs.is_whole(encoded) & jpegs.has_few_scans(encoded)
    simple &= decoding.is_allowed(size)
    branch = tf.where(simple, index, len(RATIOS))
    part = tf.switch_case(branch, [*branches, decode_whole])
    if orientation is not None:  # what is decoded whole is turned already
        orientation = tf.where(simple, orientation, orientations.UPRIGHT)
    part = orientations.turn(part, orientation)
    return tf.ensure_shape(part, (None, None, 3))


def _from_stored_edges(box, rest, orientation):
    """A box whose places count from what were the first pixels as stored.

    The decoder shrinks from there; the last row and column of a turned image
    are `rest` pixels, int32 (2,), wider than it is.
    """
    shift = tf.where(orientations.mirrors(orientation), rest, 0)
    return tf.concat([box[:2] + tf.cast(shift, tf.float32), box[2:]], 0)


def _cut_part(image, box, pixels):
    """The window of a decoded image, shrunk by means of squares."""
    ratio = tf.gather(RATIOS, _ratio_index(box, pixels))
    corner, extent = _on_grid(box, tf.shape(image)[:2] // ratio, ratio)
    start, stop = ratio * corner, ratio * (corner + extent)
    part = image[start[0] : stop[0], start[1] : stop[1]]

    def shrink():
        squares = tf.reshape(
            tf.cast(part, tf.float32),
            tf.stack([extent[0], ratio, extent[1], ratio, 3]),
        )
        means = tf.round(tf.reduce_mean(squares, axis=(1, 3)))
        return tf.cast(means, tf.uint8)

    return tf.cond(ratio > 1, shrink, lambda: part)


def _ratio_index(box, pixels):
    shrinks = tf.reduce_min(box[2:]) / pixels
    return tf.reduce_sum(tf.cast(shrinks >= RATIOS[1:], tf.int32))


def _on_grid(box, size, ratio):
    """Corner and extent, int32 (2,) each, on an image shrunk by the ratio."""
    box = box / tf.cast(ratio, tf.float32)
    first = tf.cast(tf.round(box[:2]), tf.int32)
    last = tf.cast(tf.round(box[:2] + box[2:]), tf.int32)
    first = tf.minimum(first, size - 1)
    last = tf.clip_by_value(last, first + 1, size)
    return first, last - first
