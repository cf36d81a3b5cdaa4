"""Independent copies of models, layer by layer, in float32 by default.

Every layer is made again from its config and called as the graph says. Its
state is copied as Keras' own files restore it: by the layer's structure, never
by the names of weights, which repeat. An error names a layer that cannot be
copied.
"""

import contextlib
import functools

import keras

from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.errors import require
from keras_resnet.export.folding import graph


def check(model):
    """Raises `UsageError` if a model cannot be copied."""
    graph.network(model)
    for layer in model._flatten_layers(include_self=False):
        policy = layer.dtype_policy
        require(
            not isinstance(policy, keras.dtype_policies.QuantizedDTypePolicy),
            f"Layer {layer.name!r} is quantised ({policy.name}). Export the "
            "model as it was before quantize(): the formats of 8 bits "
            "quantise it themselves.",
        )


def remake(model, changes=None):
    """A model of the same graph with new layers, for any batch.

    `changes` are {layer: {field of its config: value}}. Layers are in float32
    unless `changes` gives another "dtype".

    Returns:
        (`keras.Model`, {layer: new layer}): the layers' state is not copied
        yet. Nested models are made again too, but the dict leaves them out.

    Raises:
        keras_resnet.UsageError: if a layer cannot be made again.
    """
    check(model)
    changes, made, shells = changes or {}, {}, {}

    def remake_one(operation):
        if graph.is_network(operation):
            if operation not in shells:
                shells[operation] = _functional(operation, remake_one)
            return shells[operation]
        if operation not in made:
            made[operation] = _again(operation, changes.get(operation, {}))
        return functools.partial(_call, operation, made[operation])

    with _float32_by_default():
        copy = _functional(model, remake_one)
    if len(copy.inputs) == 1:
        # Unwrap the one input from a list or a dict.
        copy = keras.Model(copy.inputs[0], copy.output, name=model.name)
    layers = {
        source: target
        for source, target in made.items()
        if isinstance(source, keras.layers.Layer)
    }
    for source, layer in layers.items():
        if "dtype" not in changes.get(source, {}):
            _check_float32(layer)
    return copy, layers


def is_float32(model):
    """Whether every layer of a model computes and stores float32."""
    return all(
        layer.dtype_policy.name == "float32"
        for layer in model._flatten_layers(include_self=False)
    )


def float32_copy(model):
    """An independent copy of a model of any dtype policy, in float32.

    Exports compute in float32, so they are not compared with half precision.
    Layers keep their names; later changes of the model do not reach the copy.

    Raises:
        keras_resnet.UsageError: if a layer cannot be made again.
    """
    copy, layers = remake(model)
    for source, target in layers.items():
        copy_state(source, target)
    return copy


def copy_state(source, target):
    """Copies a layer's state to a built layer that was made from its config.

    Raises:
        keras_resnet.UsageError: if their weights or layers are not alike.
    """
    theirs, ours = (
        [(weight.name, tuple(weight.shape)) for weight in layer.weights]
        for layer in (source, target)
    )
    require(
        theirs == ours,
        f"Layer {source.name!r} makes other weights from its get_config(): "
        f"{_listed(ours)} in place of {_listed(theirs)}. Its config must hold "
        "all that its __init__ takes.",
    )
    parts = [layer._flatten_layers() for layer in (source, target)]
    for given, taken in zip(*parts, strict=True):
        state = {}
        try:
            given.save_own_variables(state)
            taken.load_own_variables(state)
        except Exception as error:  # a layer's own code
            raise _refusal(source, error) from error


def _functional(model, remake):
    network = graph.network(model)
    inputs = keras.tree.map_structure(
        # Not `shape=x.shape`: exports take any batch.
        lambda x: keras.Input(x.shape[1:], dtype="float32", name=x.name),
        network.input,
    )
    outputs = network._run_through_graph(inputs, operation_fn=remake)
    return keras.Model(inputs, outputs, name=model.name)


def _call(source, target, *args, **kwargs):
    """Calls a new operation; errors name the one that it replaces."""
    try:
        return target(*args, **kwargs)
    except Exception as error:  # a layer's own code
        raise _refusal(source, error) from error


def _again(operation, changes):
    """A new operation with the same config but for `changes`, in float32."""
    try:
        config = operation.get_config()
        if isinstance(operation, keras.layers.Layer) and "dtype" in config:
            config["dtype"] = "float32"
        return type(operation).from_config({**config, **changes})
    except Exception as error:  # a layer's own code
        raise _refusal(operation, error) from error


def _refusal(operation, error):
    return UsageError(
        f"Layer {operation.name!r} ({type(operation).__name__}) cannot be "
        "made again from its get_config(), which an export does. The reason "
        f"given: {first_line(error)}"
    )


def _listed(weights):
    return ", ".join(f"{name} {shape}" for name, shape in weights) or "none"


def _check_float32(layer):
    for part in layer._flatten_layers():
        require(
            part.dtype_policy.name == "float32",
            f"Layer {layer.name!r} holds {part.name!r}, which computes in "
            f"{part.dtype_policy.name} whatever its own dtype is; exports "
            "compute in float32.",
        )


@contextlib.contextmanager
def _float32_by_default():
    """Sets the global policy, which layers made inside a layer take."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
