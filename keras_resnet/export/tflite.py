"""TFLite: for phones, browsers and small boards."""

import pathlib
import tempfile

import tensorflow as tf

from keras_resnet.export import serving
from keras_resnet.export.artifact import describe
from keras_resnet.export.artifact import replacing
from keras_resnet.export.float32 import float32_copy


def export_tflite(model, path, *, card):
    """Writes a float32 TFLite file for one image at a time.

    Its signature `serving_default` takes float32 (1, H, W, 3) `images`, RGB
    0..255, to float32 (1, K) `probabilities`. The batch is fixed because
    LiteRT in browsers and on GPUs takes no other.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy.
        path: of the file; an earlier one is replaced once complete.
        card: `keras_resnet.labels.Card`; its `image_size` is H and W for a
            model of any size.

    Returns:
        `Artifact`.

    Raises:
        keras_resnet.UsageError: if model and card do not fit.
    """
    serving.check(model, card)
    copy = float32_copy(model)
    image_size = serving.fixed_size(copy, card)
    function = serving.image_function(copy, batch=1, image_size=image_size)
    with tempfile.TemporaryDirectory() as folder:
        # Not from_concrete_functions: with a Keras model as the trackable it
        # drops the weights, without one it drops the names.
        serving.save(copy, folder, {"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        content = converter.convert()
    with replacing(path) as beside:
        pathlib.Path(beside).write_bytes(content)
    return describe(
        path,
        format="tflite",
        image_size=image_size,
        classes=copy.output_shape[-1],
        batch=1,
    )
