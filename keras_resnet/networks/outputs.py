"""A network as a Keras model, and its other outputs: its logits, its maps.

Shapes: B batch, H height, W width, C channels, K classes.
"""

import keras

from keras_resnet.errors import require
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.networks.operations import serializable

_SIDE = 1024  # pixels of an image whose maps tell the strides


@serializable
class ResNet(keras.Model):
    """What `build` makes: a functional model that says what its maps are.

    Detectors and segmenters, such as KerasHub's, ask a backbone for
    `pyramid_outputs`. Nothing is kept but the graph itself, so that
    `get_config`, `from_config`, `clone_model` and files lose nothing. A network
    of a file that was written as a plain `keras.Model` becomes one by
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
        shape, maps = (1, _SIDE, _SIDE, self.input_shape[-1]), {}
        for layer in self.layers[1:]:
            shape = layer.compute_output_shape(shape)
            if isinstance(layer, ResidualUnit):
                level = (_SIDE // shape[1]).bit_length() - 1
                maps[f"P{level}"] = layer.output
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

    A softmax, and logits alone, are of classes that do.
    """
    last = model.layers[-1]
    if isinstance(last, keras.Model):  # around a network
        return is_multi_label(last)
    return getattr(last, "activation", None) is keras.activations.sigmoid


def features(model: keras.Model) -> keras.Model:
    """The feature maps at the end of each stage, for detectors and Grad-CAM.

    Args:
        model: a model from `build`; its layers and weights are shared.

    Returns:
        `keras.Model` from pixels to a dict: "C2" ... "C5" at strides 4, 8, 16
        and 32 for an ImageNet network, "C2" ... "C4" at strides 1, 2 and 4 for
        a CIFAR one. Each is (B, H / stride, W / stride, C).
    """
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
    return keras.Model(model.input, last, name=f"{model.name}_features")
