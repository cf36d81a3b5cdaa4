"""The network of a page: probabilities, and where each class is seen.

Shapes: H, W, C of the last feature map; K classes.
"""

import keras
import tensorflow as tf

from keras_resnet.errors import require
from keras_resnet.export.folding import graph
from keras_resnet.export.writers import tflite
from keras_resnet.inference.artifact import IMAGES
from keras_resnet.inference.artifact import PROBABILITIES

CLASS_MAPS = "class_maps"


def check(model):
    """Raises `UsageError` unless a model has a map for each class."""
    operations = _head(model)
    kinds = [type(operation) for operation in operations]
    require(
        kinds == _HEAD and operations[1].activation is keras.activations.linear,
        "A page shows where it sees a class, so its network must end as "
        "keras_resnet.build makes it: GlobalAveragePooling2D, Dense without "
        "an activation, Activation('softmax') or ('sigmoid'). Export another "
        "one as tflite. "
        f"Received: a model that ends in {_names(operations)}.",
    )


_HEAD = [
    keras.layers.GlobalAveragePooling2D,
    keras.layers.Dense,
    keras.layers.Activation,
]


def _head(model):
    """The last operations of a model, in their order, each read by the next."""
    tensors, operations = graph.network(model).outputs, []
    while len(tensors) == 1 and len(operations) < len(_HEAD):
        operations.insert(0, graph.producer(tensors[0]))
        tensors = graph.inputs(tensors[0])
    return operations


def _names(operations):
    return ", ".join(repr(operation.name) for operation in operations)


def convert(network):
    """(bytes, (H, W)): a float32 TFLite file of one image, with two outputs.

    The mean over places and a dense layer are both linear, so they commute:
    the kernel of the logits applied to every place gives each class its map
    (Zhou et al. 2016, arXiv 1512.04150). The mean of a map, plus the bias, is
    the logit. The maps cost H * W times the dense layer, 2.6 % of a whole
    ResNet-50. `evaluation.explain.grad_cam` is made of them.

    The signature `serving_default` takes float32 (1, S, S, 3) `images`, RGB
    0..255, and gives float32 (1, K) `probabilities` and float32 (1, H, W, K)
    `class_maps`.
    """
    function = _function(network.folded, network.image_size)
    content = tflite.convert(function, network.folded)
    maps = function.get_concrete_function().structured_outputs[CLASS_MAPS]
    return content, tuple(maps.shape[1:3])


def _function(model, image_size):
    pool, logits, head = _head(model)
    is_sigmoid = head.activation is keras.activations.sigmoid
    activation = tf.sigmoid if is_sigmoid else tf.nn.softmax
    body = keras.Model(model.input, pool.input)
    spec = tf.TensorSpec((1, *image_size, 3), tf.float32, name=IMAGES)

    @tf.function(input_signature=[spec], autograph=False)
    def serve(images):
        kernel = tf.convert_to_tensor(logits.kernel)[tf.newaxis, tf.newaxis]
        maps = tf.nn.conv2d(body(images, training=False), kernel, 1, "VALID")
        mean = tf.reduce_mean(maps, axis=(1, 2))
        if logits.use_bias:
            mean += tf.convert_to_tensor(logits.bias)
        probabilities = activation(mean)
        return {PROBABILITIES: probabilities, CLASS_MAPS: maps}

    return serve
