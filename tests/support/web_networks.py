"""Small networks and image files for the tests of the page."""

import keras
from exported_networks import randomize

import keras_resnet
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import transforms
from keras_resnet.labels.cards import Card
from keras_resnet.labels.view import View

NAMES = ("one", "two words", "drei", "vier", "fünf", "six", "seven_up")


def network(seed=0, variant="resnet20", **choices):
    """A network that answers clearly: its normalisations do something."""
    keras.utils.set_random_seed(seed)
    defaults = {"depths": (1, 1, 1), "input_shape": (32, 32, 3)}
    model = keras_resnet.build(
        variant, classes=len(NAMES), **{**defaults, **choices}
    )
    randomize(model, seed)
    return model


def card_of(model, **changes):
    fields = {"image_size": 32, "eval_resize": 36, "variant": model.name}
    return Card(class_names=NAMES, **{**fields, **changes})


def view(file, card):
    """What Python's pipeline makes of an image file: uint8 (S, S, 3)."""
    return view_of(decoding.decode(file.read_bytes()), card)


def view_of(image, card):
    """The same of decoded pixels, uint8 (H, W, 3)."""
    return transforms.evaluation(image, View.of(card)).numpy()
