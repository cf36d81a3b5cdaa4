"""What a detector and a segmenter of digits share, but for their heads.

For `detect_digits.py` and `segment_digits.py`, beside this file.
"""

import argparse

import digit_scenes
import keras
from keras import layers

import keras_resnet


def pyramid(backbone, filters=32):
    """C2 to C5 of a network in one map, for what is small and what is large.

    From the coarsest on, each is doubled and added to the next (Lin et al.
    2017, arXiv 1612.03144).

    Args:
        backbone: from `keras_resnet.build`.
        filters: of the map.

    Returns:
        The network's input, and the map, at the stride of C2.
    """
    model, x = keras_resnet.features(backbone), None
    for _, level in sorted(model.output.items(), reverse=True):
        level = layers.Conv2D(filters, 1)(level)
        x = level if x is None else level + layers.UpSampling2D()(x)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return model.input, layers.ReLU()(layers.BatchNormalization()(x))


def backbone(variant, **choices):
    """A network of a quarter of the published filters, without a classifier."""
    choices = {"filters": (16, 32, 64, 128), **choices}
    shape = (digit_scenes.SIDE, digit_scenes.SIDE, 3)
    return keras_resnet.build(
        variant, include_top=False, input_shape=shape, **choices
    )


def train(
    model, loss, images, targets, *, steps, batch_size=32, learning_rate=0.05
):
    """Trains so many steps; the rate falls to 0 as a cosine.

    It ends with a whole pass over the images, the last of it at the rate 0.
    """
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, global_clipnorm=5.0)
    model.compile(optimizer, loss=loss)
    epochs = -(-steps * batch_size // len(images))
    model.fit(images, targets, batch_size=batch_size, epochs=epochs, verbose=2)


def main(about, train, find, score, picture):
    """Trains, scores and draws, as the functions of an example do."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--variant", default="resnet34")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--picture", default="found.png")
    flags = parser.parse_args()
    keras.utils.set_random_seed(0)
    digits, unseen = map(digit_scenes.digits, ("train", "validation"))
    scenes = digit_scenes.make(*digits, number=3200, seed=0)
    model = train(backbone(flags.variant), scenes, steps=flags.steps)
    test = digit_scenes.make(*unseen, number=500, seed=1)
    found = find(model, test.images)
    for name, value in score(test, found).items():
        print(f"{name}: {value:.3f}")
    picture(test.images[:8], found[:8], flags.picture)
