"""Keras models as functions of images, one compiled function per model."""

import operator
import weakref

# {model: (its configuration, its variables, its function)}.
COMPILED: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def of(model, features=()):
    """What a model gives for images, compiled once while it stays as it is.

    Training needs no new function: it changes variables, which a function
    reads. Another layer, activation or precision needs one.

    Args:
        model: `keras.Model`.
        features: names of its outputs, or none for a classifier.

    Returns:
        A function from images to an array, or to a dict of `features`.
    """
    try:
        config = model.get_config()
    except NotImplementedError:  # a user's layer has none
        config = {}
    if "layers" not in config:  # what it consists of is not known
        return _compile(model, features)
    config = repr(config)
    variables, held = model.variables, COMPILED.get(model)
    if held is None or held[0] != config or not _are_same(held[1], variables):
        function = _compile(model, features)
        held = COMPILED[model] = config, variables, function
    return held[2]


def _are_same(some, others):
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _compile(model, features):
    """What a model gives for images, as a function, on Keras' backend.

    The function does not keep the model alive: the caller must.
    """
    import keras

    model_of = weakref.ref(model)

    def values(output):
        if isinstance(output, dict) and len(features) > 1:
            return output
        (only,) = keras.tree.flatten(output)
        return {features[0]: only} if features else only

    if keras.config.backend() != "tensorflow":
        return lambda images: values(model_of().predict_on_batch(images))
    import tensorflow as tf

    return tf.function(
        lambda images: values(model_of()(images, training=False)),
        input_signature=[tf.TensorSpec(model.input_shape, tf.float32)],
        autograph=False,
    )
