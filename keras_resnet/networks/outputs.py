"""A network as a Keras model, and its other outputs: its logits, its maps.

Shapes: B batch, H height, W width, C channels, K classes.
"""

from collections.abc import Sequence

import keras

from keras_resnet.errors import nearest
from keras_resnet.errors import require
from keras_resnet.networks import dilated
from keras_resnet.networks import inside
from keras_resnet.networks import operations
from keras_resnet.networks.layers import Chain
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.networks.operations import serializable

EMBEDDING = "embedding"

_POOLS = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
)


@serializable
class ResNet(keras.Model):
    """What `build` returns: a functional model that names its maps.

    Detectors and segmenters, such as KerasHub's, ask a backbone for
    `pyramid_outputs`. It keeps nothing but the graph itself, so that
    `get_config`, `from_config`, `clone_model` and files lose nothing. A plain
    `keras.Model` from a file becomes one by
    `ResNet(model.inputs, model.outputs, name=model.name)`.
    """

    data_format = "channels_last"

    @property
    def pyramid_outputs(self) -> dict[str, keras.KerasTensor]:
        """{"P2": ..., "P5": ...}: the last unit's map at each stride.

        Pn is 2^n times smaller than the image on each side: P2 ... P5 of an
        ImageNet network, P0 ... P2 of a CIFAR one, P2 and P3 with an
        `output_stride` of 8. Maps are (B, H / 2^n, W / 2^n, C).
        """
        strides, maps = 1, {}
        for layer in self.layers:
            if isinstance(layer, (Chain, ResidualUnit)):
                strides *= dilated.strides_of(layer)
            if isinstance(layer, ResidualUnit):
                maps[f"P{strides.bit_length() - 1}"] = layer.output
        return maps


def logits(model: keras.Model) -> keras.Model:
    """The same network, sharing its weights, up to the logits.

    Losses and comparisons read logits: float32 (B, K).
    """
    names = [layer.name for layer in model.layers]
    require(
        "logits" in names,
        "logits() needs a model from keras_resnet.build with its top. "
        f"Received: {model.name!r}, which ends in {names[-1]!r}.",
    )
    kind = ResNet if isinstance(model, ResNet) else keras.Model
    return kind(model.input, model.get_layer("logits").output, name=model.name)


def is_multi_label(model: keras.Model) -> bool:
    """Whether a model ends in sigmoids: its labels do not exclude each other.

    A softmax, or logits alone, mean classes that do.
    """
    last = model.layers[-1]
    if isinstance(last, keras.Model):  # a wrapper of a network
        return is_multi_label(last)
    return getattr(last, "activation", None) is keras.activations.sigmoid


def named_features(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """{name: output} of a model that is not a classifier; else empty.

    These are several outputs, by the names of their dict; the mean from a
    pooling layer ("embedding"); or maps alone ("features").
    """
    first, *more = model.outputs
    # Keras' Sequential has one output, and no such property.
    given = None if isinstance(model, keras.Sequential) else model.output
    named = given if isinstance(given, dict) else {}
    if named and (more or len(first.shape) > 2 or EMBEDDING in named):
        return dict(named)
    if more:
        return {f"output_{i}": one for i, one in enumerate(model.outputs)}
    if isinstance(first._keras_history.operation, _POOLS):
        return {EMBEDDING: first}
    return {} if len(first.shape) == 2 else {"features": first}


def features(
    model: keras.Model, names: str | Sequence[str] | None = None
) -> keras.Model:
    """Maps inside a network, for detectors, searches and Grad-CAM.

    Args:
        model: a model from `build`; its layers and weights are shared.
        names: one or several of `feature_names(model)`. Default: the ends of
            the stages.

    Returns:
        `keras.Model` from pixels to a dict of these names. "C2" ... "C5" are
        the ends of the stages, at strides 4, 8, 16 and 32 for an ImageNet
        network; "C2" ... "C4" at strides 1, 2 and 4 for a CIFAR one. Each is
        (B, H / stride, W / stride, C). "embedding" is (B, C), the mean of the
        last map over all positions or, with pooling="max", the maximum.

    Raises:
        keras_resnet.UsageError: for another model or name.

    Example:

    >>> features(model, ["C4", "stage3_unit2/conv1", "embedding"])
    """
    stages = _stages(model)
    if names is None:
        names = list(stages)
    names = [names] if isinstance(names, str) else list(names)
    require(names, "names is empty. Take some of feature_names(model).")
    known = dict.fromkeys(feature_names(model))
    found = {}
    for name in names:
        _check_feature(known, name)
        found[name] = _feature(model, stages, name)
    result = keras.Model(model.input, found, name=f"{model.name}_features")
    if hasattr(model, "card"):  # what it sees; see `keras_resnet.load`
        result.card = model.card
    return result


def feature_names(model: keras.Model) -> list[str]:
    """All that `features` knows of a model from `build`.

    Returns:
        list: "C2" ... "C5", "embedding", then in order the layers
        ("stage3_unit2") and the operations in them ("stage3_unit2/conv1");
        "add" is the sum of a unit.
    """
    names = [*_stages(model), EMBEDDING]
    for layer in model.layers[1:]:
        names.append(layer.name)
        if isinstance(layer, (Chain, ResidualUnit)):
            names += [f"{layer.name}/{name}" for name in inside.names(layer)]
    return names


def _stages(model):
    """{"C2": the output of the first stage's last unit, ...}."""
    last = {}
    for layer in model.layers:
        if isinstance(layer, ResidualUnit):
            stage = layer.name.split("_")[0]
            last[f"C{int(stage.removeprefix('stage')) + 1}"] = layer.output
    require(
        last,
        "features() needs a model from keras_resnet.build, with layers "
        f"'stage1_unit1' and so on. Received: {model.name!r}.",
    )
    return last


def _check_feature(known, name):
    # Not `lookup`, which would list a thousand names.
    near = nearest(name, known)
    hint = f" Did you mean {near!r}?" if near else ""
    require(
        isinstance(name, str) and name in known,
        f"Unknown feature {name!r}.{hint} `feature_names(model)` has all: "
        f"{', '.join(list(known)[:6])}, ...",
    )


def _feature(model, stages, name):
    if name in stages:
        return stages[name]
    if name == EMBEDDING:
        return _embedding(model)
    owner, _, operation = name.partition("/")
    layer = model.get_layer(owner)
    return layer(layer.input, until=operation) if operation else layer.output


def _embedding(model):
    """(B, C): what the classifier reads, or would."""
    if "pool" in [layer.name for layer in model.layers]:
        return model.get_layer("pool").output
    pool = keras.layers.GlobalAveragePooling2D(
        name="pool", dtype=model.layers[-1].dtype_policy, **operations.LAYOUT
    )
    return pool(model.output)
