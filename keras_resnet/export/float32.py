"""The copy of a model that exports are compared with."""

import keras
from keras import ops


def is_float32(model):
    """Whether every layer of a model computes and stores float32."""
    return all(
        layer.dtype_policy.name == "float32"
        for layer in model._flatten_layers(include_self=False)
    )


def float32_copy(model):
    """An independent copy of a model that computes in float32.

    Exports compute in float32, so half precision is no measure of them. Nested
    layers take the precision of the layer that holds them.

    Args:
        model: functional `keras.Model` of any dtype policy.

    Returns:
        `keras.Model` of the same layer names, its weights those of `model` in
        float32. Later changes of `model` do not reach it.
    """
    copy = keras.models.clone_model(model, clone_function=_float32_layer)
    for target, source in zip(copy.weights, model.weights, strict=True):
        target.assign(ops.cast(source, "float32"))
    return copy


def _float32_layer(layer):
    return type(layer).from_config({**layer.get_config(), "dtype": "float32"})
