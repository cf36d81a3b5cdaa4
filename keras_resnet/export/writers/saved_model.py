"""SavedModel: for TensorFlow Serving and for TensorFlow in any language.

Shapes: B batch, H height, W width, K classes, k of them named.
"""

import dataclasses
import operator
import os

import keras
import tensorflow as tf

from keras_resnet.data.pixels import transforms
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import targets
from keras_resnet.export.writers import warmup
from keras_resnet.inference import streams
from keras_resnet.inference.artifact import IMAGES
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.inference.artifact import Artifact
from keras_resnet.labels.cards import Card
from keras_resnet.labels.view import View

IMAGE_BYTES = "image_bytes"
TOP = 5  # classes that are named

_GREY = 128  # of the warm-up images; what they show does not matter

_LARGEST = 2**31  # bytes of a protocol buffer

# {precision: `serving.Network` -> the model that is written}.
_PRECISIONS = {
    "float32": operator.attrgetter("folded"),
    "bfloat16": operator.attrgetter("halved"),
}


def export_saved_model(
    model: keras.Model | serving.Network,
    path: str | os.PathLike,
    *,
    card: Card,
    top: int = TOP,
    resize: bool = False,
    precision: str = "float32",
    frozen: bool = False,
) -> Artifact:
    """Folds a model and writes it as a SavedModel, with warm-up requests.

    `serving_default` takes float32 (B, H, W, 3) `images`, RGB 0..255. With
    `resize` it takes whole images, uint8 and all of one size, and makes the
    evaluation view itself: a shorter side of `card.eval_resize`, the central
    square of `card.image_size`. uint8 is what decoders give, is a quarter of
    the bytes to send, and refuses pixels that were normalised.
    `serve_bytes` takes string (B,) `image_bytes`: JPEG, PNG, GIF, BMP or WebP
    files of any sizes, which it decodes and views in the same way. One file
    that `headers.read` refuses is an error of the whole request.
    Both give, for any B, what `answer` returns, or features by their names.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy, or
            the `serving.Network` that an export of several formats shares.
        path: of the directory; an earlier one is replaced once complete.
        card: `keras_resnet.labels.cards.Card` of the model.
        top: int >= 1, classes to name; k is at most K.
        resize: whether `serving_default` takes whole images.
        precision: "float32", or "bfloat16" for half the bytes; inputs and
            outputs are float32 in both.
        frozen: whether the weights are constants of the graph. TensorFlow then
            computes a little faster, and starts with more memory.

    Returns:
        `Artifact`.

    Raises:
        keras_resnet.UsageError: for another `top` or `precision`, or if the
            network cannot be written.
    """
    lookup(_PRECISIONS, precision, "precision of a SavedModel")
    network = serving.Network.of(model, card)
    card = network.card
    targets.check(path, "saved_model")
    require(
        isinstance(top, int) and top >= 1,
        f"top must be an int >= 1. Received: top={top!r}.",
    )
    if frozen:
        check_frozen(network)
    model = _PRECISIONS[precision](network)
    serve = serving.image_function(
        model,
        batch=None,
        image_size=tuple(network.model.input_shape[1:3]),
        names=network.outputs,
        frozen=frozen,
    )
    signatures = _signatures(serve, card, top, resize)
    with targets.replacing_network(path) as beside:
        serving.save(model, beside, signatures, frozen=frozen)
        warmup.write_requests(beside, model.name, _requests(card, resize))
    return _describe(path, network, signatures, top, precision)


def check_frozen(network):
    """Raises `UsageError` if constants could not hold a network's weights."""
    size = 4 * network.model.count_params()
    require(
        size < _LARGEST,
        "A frozen SavedModel is one protocol buffer, of 2 GB at most. "
        f"Received: weights of {size / 1e9:.1f} GB. Export it without "
        "--frozen.",
    )


def _signatures(serve, card, top, resize):
    if not card.outputs:
        serve = _view_function(serve, card, top)
    return {
        "serving_default": _image_function(serve, card) if resize else serve,
        "serve_bytes": _bytes_function(serve, card),
    }


def _describe(path, network, signatures, top, precision):
    (spec,) = signatures["serving_default"].input_signature
    images = {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
    artifact = manifest.describe(
        path, network, format="saved_model", batch=None, precision=precision
    )
    answers = artifact.signature["outputs"]
    if not network.card.outputs:
        answers = _describe_answers(len(network.card.class_names), top)
    signature = {"inputs": {IMAGES: images}, "outputs": answers}
    return dataclasses.replace(artifact, signature=signature)


def _view_function(serve, card, top):
    """A function of float32 (B, H, W, 3) evaluation views, giving answers."""

    @tf.function(input_signature=serve.input_signature, autograph=False)
    def classify(images):
        probabilities = serve(images)[PROBABILITIES]
        return answer(probabilities, card.class_names, top)

    return classify


def answer(probabilities, class_names, top):
    """The probabilities, and the most probable classes by name.

    Classes of equal probability keep their order, as in `labels.top_classes`.
    Independent labels are named even if not above 0.5: compare
    `top_probabilities` with 0.5.

    Args:
        probabilities: float32 (B, K) tensor.
        class_names: K names.
        top: int >= 1; k is at most K.

    Returns:
        dict: float32 (B, K) `probabilities`, int32 (B, k) `top_indices`,
        float32 (B, k) `top_probabilities`, string (B, k) `top_names`.
    """
    largest, indices = tf.math.top_k(probabilities, min(top, len(class_names)))
    return {
        PROBABILITIES: probabilities,
        "top_indices": indices,
        "top_probabilities": largest,
        "top_names": tf.gather(tf.constant(class_names), indices),
    }


def _describe_answers(classes, top):
    """What `answer` returns as {name: {"dtype", "shape"}}; B is None."""
    named = [None, min(top, classes)]
    return {
        PROBABILITIES: {"dtype": "float32", "shape": [None, classes]},
        "top_indices": {"dtype": "int32", "shape": named},
        "top_probabilities": {"dtype": "float32", "shape": named},
        "top_names": {"dtype": "string", "shape": named},
    }


def _image_function(classify, card):
    """A function of uint8 (B, H, W, 3), all of one size, giving answers."""
    spec = tf.TensorSpec((None, None, None, 3), tf.uint8, name=IMAGES)

    @tf.function(input_signature=[spec], autograph=False)
    def serve_images(images):
        views = transforms.evaluation(images, View.of(card))
        return classify(tf.cast(views, tf.float32))

    return serve_images


def _bytes_function(classify, card):
    """A function of string (B,), image files, giving answers."""
    spec = tf.TensorSpec((None,), tf.string, name=IMAGE_BYTES)
    view = streams.viewer(View.of(card))
    pixels = tf.TensorSpec((card.image_size, card.image_size, 3), tf.uint8)

    @tf.function(input_signature=[spec], autograph=False)
    def serve_bytes(image_bytes):
        images = tf.map_fn(view, image_bytes, fn_output_signature=pixels)
        return classify(tf.cast(images, tf.float32))

    return serve_bytes


def _requests(card, resize):
    """One image for each signature, as `warmup.write_requests` takes them."""
    size = card.eval_resize if resize else card.image_size
    # One number for all pixels: TensorFlow repeats the last value it is given.
    images = tf.make_tensor_proto(
        _GREY, tf.uint8 if resize else tf.float32, (1, size, size, 3)
    )
    shape = (card.eval_resize, card.eval_resize, 3)
    file = tf.io.encode_jpeg(tf.fill(shape, tf.constant(_GREY, tf.uint8)))
    return {
        "serving_default": {IMAGES: images},
        "serve_bytes": {IMAGE_BYTES: tf.make_tensor_proto([file.numpy()])},
    }
