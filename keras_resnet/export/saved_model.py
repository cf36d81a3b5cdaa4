"""SavedModel: for TensorFlow Serving and for TensorFlow in any language."""

import tensorflow as tf

from keras_resnet.data import decoding
from keras_resnet.data import transforms
from keras_resnet.export import serving
from keras_resnet.export.artifact import describe
from keras_resnet.export.artifact import replacing
from keras_resnet.export.fold import folded

IMAGE_BYTES = "image_bytes"


def export_saved_model(model, path, *, card):
    """Writes a SavedModel with two signatures.

    `serving_default`: float32 (B, H, W, 3) `images`, RGB 0..255.
    `serve_bytes`: string (B,) `image_bytes`, JPEG, PNG, BMP or GIF files of
    any sizes; decoded, resized to a shorter side of `card.eval_resize` and
    cropped to the central square of `card.image_size` inside.
    Both give float32 (B, K) `probabilities`, for any B.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy.
        path: of the directory; an earlier one is replaced once complete.
        card: `keras_resnet.labels.Card` of the model.

    Returns:
        `Artifact`.

    Raises:
        keras_resnet.UsageError: if model and card do not fit.
    """
    serving.check(model, card)
    copy = folded(model)
    image_size = tuple(copy.input_shape[1:3])
    serve = serving.image_function(copy, batch=None, image_size=image_size)
    signatures = {
        "serving_default": serve,
        "serve_bytes": _bytes_function(serve, card),
    }
    with replacing(path) as beside:
        serving.save(copy, beside, signatures)
    return describe(
        path,
        format="saved_model",
        image_size=image_size,
        classes=copy.output_shape[-1],
        batch=None,
    )


def _bytes_function(serve, card):
    size = card.image_size
    spec = tf.TensorSpec((None,), tf.string, name=IMAGE_BYTES)
    pixels = tf.TensorSpec((size, size, 3), tf.uint8)

    def view(encoded):
        image = decoding.decode(encoded)
        image = transforms.evaluation(image, resize=card.eval_resize, size=size)
        return tf.ensure_shape(image, pixels.shape)

    @tf.function(input_signature=[spec], autograph=False)
    def serve_bytes(image_bytes):
        images = tf.map_fn(view, image_bytes, fn_output_signature=pixels)
        return serve(tf.cast(images, tf.float32))

    return serve_bytes
