"""Grad-CAM: where in an image a network sees a class.

References: Selvaraju et al. 2017, arXiv 1610.02391.

Shapes: B batch, H height, W width, C channels, K classes.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.errors import require
from keras_resnet.inference.tensors import warn_of_unit_range
from keras_resnet.labels import fonts
from keras_resnet.networks import execution

# Perceptually uniform: equal steps of heat look equally large.
COLORMAP = "inferno"
COLOURED = 0.6  # the share of the colours; the rest is grey
FADED = 0.6  # the share of white where the network does not look

_PANEL = 4.0  # inches of the longer side of a drawn picture
_SIDE = 768  # pixels of it, as on the page


def grad_cam(model, images, classes=None):
    """How much each place of the last feature maps speaks for a class.

    The maps A are those that the global pooling of the head reads: the last
    unit's, with pre-activation after the last BN and ReLU. With y the class's
    logit, alpha_k is the mean of dy / dA_k over places (eq. 1) and the heat is
    ReLU(sum_k alpha_k A_k) (eq. 2). The heat is divided by its greatest value
    in the image and resized to the image, bilinearly. So heats of different
    images or classes are not comparable: an improbable class has a hottest
    place too. If nothing speaks for the class, the heat is 0 everywhere.

    Args:
        model: from `keras_resnet.build` with its top, or such a model loaded.
        images: (B, H, W, C) pixels 0..255, uint8 or float. Floats in [0, 1]
            cause a warning, once.
        classes: index of a class, or B of them. Default: each image's most
            probable class.

    Returns:
        float32 (B, H, W) in [0, 1].

    Raises:
        keras_resnet.UsageError: if the model has no such head, or no such
            class.
    """
    execution.require_tensorflow("Grad-CAM")
    body, head = _parts(model)
    require(
        model.input_shape[0] in (None, len(images)),
        f"{model.name!r} takes {model.input_shape[0]} images at once. "
        f"Received: {len(images)}.",
    )
    warn_of_unit_range(images)
    images = tf.convert_to_tensor(np.asarray(images, np.float32))
    maps = body(images, training=False)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(maps)
        logits = head(maps, training=False)
        classes = _check_classes(classes, logits)
        chosen = tf.gather(logits, classes, axis=1, batch_dims=1)
    gradient = tf.cast(tape.gradient(chosen, maps), tf.float32)
    alpha = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(alpha * tf.cast(maps, tf.float32), axis=-1))
    greatest = tf.reduce_max(heat, axis=(1, 2), keepdims=True)
    heat = tf.math.divide_no_nan(heat, greatest)
    resized = tf.image.resize(heat[..., tf.newaxis], images.shape[1:3])
    return resized[..., 0].numpy()


def _parts(model):
    """The network up to the maps that its head reads, and its head."""
    names = [layer.name for layer in model.layers]
    require(
        {"pool", "logits"} <= set(names),
        "Grad-CAM needs a model from keras_resnet.build with its top: layers "
        f"'pool' and 'logits'. Received: {model.name!r}, which ends in "
        f"{names[-1]!r}.",
    )
    maps, logits = model.get_layer("pool").input, model.get_layer("logits")
    return keras.Model(model.input, maps), keras.Model(maps, logits.output)


def _check_classes(classes, logits):
    batch, count = logits.shape
    if classes is None:
        return tf.argmax(logits, axis=1)
    classes = np.asarray(classes)
    require(
        classes.shape in ((), (batch,))
        and np.issubdtype(classes.dtype, np.integer)
        and (classes >= 0).all()
        and (classes < count).all(),
        f"classes must be an int from 0 to {count - 1}, or one for each of "
        f"the {batch} images. Received: classes={classes.tolist()}.",
    )
    return tf.constant(np.broadcast_to(classes, (batch,)).astype(np.int32))


def overlay(image, heat):
    """uint8 (H, W, 3): a grey image with the colours of the heat over it.

    The image is uint8 (H, W, 3), the heat float (H, W) in [0, 1].
    """
    import matplotlib

    colours = matplotlib.colormaps[COLORMAP](heat)[..., :3]
    grey = image.mean(axis=-1, keepdims=True) / 255
    mixed = (1 - COLOURED) * grey + COLOURED * colours
    return np.round(255 * mixed).astype(np.uint8)


def over_picture(picture, view, heat):
    """A whole picture, with a view's heat over the part that the view shows.

    Args:
        picture: uint8 (H, W, 3), of any size.
        view: `labels.view.View`.
        heat: float (S, S) of that view, in [0, 1]; None for the picture's own
            colours.

    Returns:
        uint8 (H, W, 3): what lies outside of the view is grey and faded.
    """
    size = picture.shape[:2]
    top, left, bottom, right = np.round(view.part(*size)).astype(int)
    seen = slice(top, bottom), slice(left, right)
    grey = picture.mean(axis=-1, keepdims=True, dtype=np.float32)
    faded = np.round(255 - (255 - grey) * (1 - FADED)).astype(np.uint8)
    shown = faded.repeat(3, axis=-1)
    shown[seen] = picture[seen]
    if heat is not None:
        shown[seen] = overlay(picture[seen], _at_places(heat, view, size)[seen])
    return shown


def _at_places(heat, view, size):
    """The heat of a view at each pixel of a picture; 0 outside of the view."""
    from PIL import Image

    top, left, bottom, right = view.part(*size)
    down, across = heat.shape / np.subtract((bottom, right), (top, left))
    image = Image.fromarray(np.float32(heat)).transform(
        size[::-1],
        Image.Transform.AFFINE,
        (across, 0, -left * across, 0, down, -top * down),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(image)


def figure(picture, view, rows):
    """The whole picture, and beside it an overlay for each class.

    Args:
        picture: uint8 (H, W, 3), of any size.
        view: `labels.view.View`, of the network: the rest of the picture is
            faded.
        rows: of (heat, title): float (S, S) in [0, 1], and str.

    Returns:
        `matplotlib.figure.Figure`, whose `savefig` writes a PNG.
    """
    import matplotlib
    from matplotlib.figure import Figure

    picture = _shrunk(picture)
    height, width = picture.shape[:2]
    panels, longer = 1 + len(rows), max(height, width)
    drawn = Figure(
        figsize=(
            _PANEL * panels * max(width / longer, 0.4) + 0.8,
            _PANEL * max(height / longer, 0.4) + 0.5,
        ),
        dpi=150,
        layout="constrained",
    )
    (axes,) = drawn.subplots(1, panels, squeeze=False)
    # Pixels of a small picture stay squares.
    smooth = "nearest" if longer < 64 else "antialiased"
    for axis, (heat, title) in zip(
        axes, [(None, "picture"), *rows], strict=True
    ):
        axis.imshow(over_picture(picture, view, heat), interpolation=smooth)
        title = fonts.drawable(title)
        axis.set_title(
            title, fontsize=10, family=fonts.families(title), parse_math=False
        )
        axis.set_axis_off()
    scale = matplotlib.cm.ScalarMappable(cmap=COLORMAP)
    bar = drawn.colorbar(scale, ax=axes, fraction=0.03, pad=0.02)
    bar.set_ticks([0, 1], labels=["0", "max"])
    bar.set_label("Grad-CAM")
    drawn.get_layout_engine().set(h_pad=0.1)  # inches, for the ticks' labels
    return drawn


def _shrunk(picture):
    """A picture shrunk to the pixels that are drawn; a smaller one as it is."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((_SIDE, _SIDE))
    return np.asarray(image)
