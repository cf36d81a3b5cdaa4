"""The copy of a model that exports are compared with."""

from keras_resnet.export.folding import copies


def is_float32(model):
    """Whether every layer of a model computes and stores float32."""
    return all(
        layer.dtype_policy.name == "float32"
        for layer in model._flatten_layers(include_self=False)
    )


def float32_copy(model):
    """An independent copy of a model that computes in float32.

    Exports compute in float32, so half precision is no measure of them.

    Args:
        model: functional `keras.Model` of any dtype policy.

    Returns:
        `keras.Model` of the same layer names, its weights those of `model` in
        float32. Later changes of `model` do not reach it.

    Raises:
        keras_resnet.UsageError: if a layer cannot be made again.
    """
    copy, layers = copies.remake(model)
    for source, target in layers.items():
        copies.copy_state(source, target)
    return copy
