"""Small networks and image files for the tests of the page."""

import exported_networks
import numpy as np

from keras_resnet.data.pixels import decoding
from keras_resnet.export.verification.verify import evaluation_views
from keras_resnet.labels.cards import Card

NAMES = ("one", "two words", "drei", "vier", "fünf", "six", "seven_up")


def network(seed=0, variant="resnet20", **choices):
    """A network that answers clearly: its normalisations matter."""
    choices = {"classes": len(NAMES), "input_shape": (32, 32, 3), **choices}
    return exported_networks.network(variant, seed, **choices)


def card_of(model, **changes):
    fields = {"image_size": 32, "eval_resize": 36, "variant": model.name}
    return Card(class_names=NAMES, **{**fields, **changes})


def view(file, card):
    """What Python's pipeline makes of an image file: uint8 (S, S, 3)."""
    (view,) = evaluation_views(
        [decoding.decode(file.read_bytes(), card.exif)], card
    )
    return view


def noise(count):
    """float32 (N, 32, 32, 3), 0..255."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 32, 32, 3)).astype(np.float32)
