"""The function that every format computes, from pixels to outputs."""

import contextlib
import functools
import re

import keras
import tensorflow as tf

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.export.folding import graph
from keras_resnet.export.folding import proof
from keras_resnet.export.folding.fold import fold
from keras_resnet.export.folding.half import bfloat16_copy
from keras_resnet.export.writers import checks
from keras_resnet.inference.artifact import IMAGES
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.networks import execution


class Network:
    """What every writer takes: the network of a file, and its card.

    Args:
        model, card: as `checks.check_model` takes them.

    Attributes:
        model: the `keras.Model` itself.
        card: its `keras_resnet.labels.cards.Card`.
        name: str, of the network, for people.
        image_size: (H, W) for the formats that need one: the model's own or
            the card's.
        outputs: names of what it gives: "probabilities", or features.

    Raises:
        keras_resnet.UsageError: as `checks.check_model`, and on a backend
            other than TensorFlow.
    """

    def __init__(self, model, card):
        # Each format is made from TensorFlow's graph of the network.
        execution.require_tensorflow("An export")
        checks.check_model(model, card)
        self.model, self.card = model, card
        self.name = card.variant or model.name
        shape = model.input_shape[1:3]
        self.image_size = tuple(n or card.image_size for n in shape)
        self.outputs = card.outputs or (PROBABILITIES,)
        self._made = {}

    @classmethod
    def of(cls, model, card):
        """The `Network` of a model; a `Network` is returned as it is."""
        return model if isinstance(model, cls) else cls(model, card)

    @functools.cached_property
    def folded(self):
        """The float32 `keras.Model` for any batch, folded and proved equal.

        It is made when it is first read, once for all formats. A writer
        refuses bad arguments before it reads this.

        Raises:
            keras_resnet.UsageError: if a layer cannot be copied, or the
                network would give other answers than
                `model(images, training=False)`.
        """
        return self._proved(self.model, fold(self.model))

    @functools.cached_property
    def halved(self):
        """`folded` in bfloat16 (`half.bfloat16_copy`), checked like it."""
        return self._proved(self.folded, bfloat16_copy(self.folded))

    def _proved(self, model, copy):
        of_classes = not self.card.outputs
        proof.check(model, copy, self.image_size, probabilities=of_classes)
        return copy

    def once(self, key, make):
        """What `make()` returns; formats that pass the same key share it."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def output_shapes(self, batch):
        """{name: [batch, ...]} for images of `image_size`."""
        shape = (batch, *self.image_size, 3)
        shapes = self.folded.compute_output_shape(shape)
        return {n: list(s) for n, s in _named(shapes, self.outputs).items()}

    def function(self, *, batch, image_size=None, dtype="float32"):
        """`image_function` of the folded network."""
        return image_function(
            self.folded,
            batch=batch,
            image_size=image_size or self.image_size,
            dtype=dtype,
            names=self.outputs,
        )


def _named(output, names):
    """{name: value} of an output: a dict, or one value, bare or in a list."""
    if isinstance(output, dict) and len(names) > 1:
        return {name: output[name] for name in names}
    if isinstance(output, dict):
        (output,) = output.values()
    return {names[0]: output[0] if isinstance(output, list) else output}


_AS_IT_IS = contextlib.nullcontext()

# Types of the pixels that an artifact takes.
INPUT_DTYPES = {"float32": tf.float32, "uint8": tf.uint8}


def image_function(
    model,
    *,
    batch,
    image_size,
    dtype="float32",
    names=(PROBABILITIES,),
    frozen=False,
):
    """The model in inference mode, as a function of named images.

    A `batch`, or a side in `image_size` (H, W), of None is free. `dtype` is a
    key of `INPUT_DTYPES`; `names` are those of the model's outputs. `frozen`
    makes its weights constants of the function, not variables.

    Returns:
        `tf.function` from (batch, H, W, 3) `images`, RGB 0..255, to
        {"probabilities": float32 (batch, K)}, or to features by `names`.
    """
    weights = model.weights if frozen else []
    values = [keras.ops.convert_to_numpy(weight) for weight in weights]
    spec = tf.TensorSpec(
        (batch, *image_size, 3), INPUT_DTYPES[dtype], name=IMAGES
    )

    @tf.function(input_signature=[spec], autograph=False)
    def serve(images):
        state = zip(weights, values, strict=True)
        with keras.StatelessScope(state) if frozen else _AS_IT_IS:
            found = _named(model(images, training=False), names)
        return {name: tf.cast(x, tf.float32) for name, x in found.items()}

    return serve


@contextlib.contextmanager
def converting(format, model):
    """Turns what a converter raises into one line that names the layer.

    `format` names what is written, for the message. A full disk and the like
    are raised as they are.
    """
    try:
        yield
    except (UsageError, OSError, MemoryError):
        raise
    except Exception as error:  # each converter raises its own, even bare ones
        if files.no_room(error):
            raise
        raise UsageError(
            f"The network cannot be written as {format}, which has no form "
            f"for {_layer_in(str(error), model)}. Export another format. The "
            f"reason given: {first_line(error).rpartition(')): ')[2]}"
        ) from error


def _layer_in(message, model):
    """The layer that a converter's message is about, found by its operators."""
    names = {
        operation.name
        for graph_ in graph.networks(model)
        for operation in graph_.operations
    }
    # Keras numbers a layer that is called again: `odd_1/erfinv`.
    for scope in re.findall(r"([^\s/\"']+?)(?=(?:_\d+)?/)", message):
        if scope in names:
            return f"layer {scope!r}"
    return "one of its layers"


def save(model, path, signatures, *, frozen=False):
    """Writes a SavedModel that stores each weight of `model` once.

    `signatures` are {name: `tf.function` with an input signature}; `frozen` is
    whether they have the weights as constants.
    """
    # A tracked Keras model would store every weight a second time.
    module = tf.Module()
    if not frozen:
        module.weights = [weight.value for weight in model.weights]
    with converting("a SavedModel", model):
        tf.saved_model.save(
            module,
            str(path),
            signatures={
                name: function.get_concrete_function()
                for name, function in signatures.items()
            },
        )
