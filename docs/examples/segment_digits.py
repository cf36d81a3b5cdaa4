"""Says of each pixel which digit it is of: a segmenter on residual features.

python docs/examples/segment_digits.py --picture=segmented.png

Trains in minutes on two cores, says its mean IoU on scenes of digits that it
has not seen and writes a picture: scenes above, what is found below. Needs
keras_resnet, and the three files `digit_*.py` beside it.
"""

import colorsys

import digit_scenes
import digit_scores
import digit_training
import keras
import numpy as np
from keras import layers
from keras import ops
from PIL import ImageDraw

CLASSES = 1 + digit_scenes.CLASSES  # the background is class 0


def segmenter(backbone):
    """A model from pixels to a logit of each class for each: (B, H, W, 11)."""
    pixels, x = digit_training.pyramid(backbone)
    # Which digit is told of cells of 4 x 4 pixels, where its ink is of pixels.
    which = layers.Conv2D(digit_scenes.CLASSES, 1)(x)
    which = layers.UpSampling2D(4, interpolation="bilinear")(which)
    ink = layers.Conv2DTranspose(1, 4, 4)(x)
    # The background's logit, the first one, is 0.
    logits = ops.pad(which + ink, [(0, 0), (0, 0), (0, 0), (1, 0)])
    return keras.Model(pixels, logits)


def loss(masks, logits):
    """Cross-entropy per pixel of a digit, each of which counts four times."""
    each = keras.losses.sparse_categorical_crossentropy(
        masks, logits, from_logits=True
    )
    is_digit = ops.cast(masks > 0, each.dtype)
    return ops.sum(each * (1 + 3 * is_digit)) / ops.sum(is_digit)


def train(backbone, scenes, **how):
    """A segmenter on a backbone; `how` as `digit_training.train` takes it."""
    model = segmenter(backbone)
    digit_training.train(model, loss, scenes.images, scenes.masks, **how)
    return model


def find(model, images):
    """The class of each pixel: int (N, H, W)."""
    return model.predict(images, batch_size=100, verbose=0).argmax(-1)


def score(scenes, found):
    """The mean IoU of what `find` found, 0 to 1, by name."""
    return {"mean IoU": digit_scores.mean_iou(scenes.masks, found, CLASSES)}


def picture(images, masks, path):
    """Images, and below them classes in their colours, with their names."""
    hues = [colorsys.hsv_to_rgb(i / 10, 1, 1) for i in range(10)]
    colors = np.uint8(np.multiply([(0, 0, 0), *hues], 255))
    tiles = []
    for first in range(0, len(images), 4):
        four = slice(first, first + 4)
        tiles += map(digit_scenes.enlarged, images[four])
        for mask in masks[four]:
            tiles.append(digit_scenes.enlarged(colors[mask]))
            draw = ImageDraw.Draw(tiles[-1])
            for found in np.flatnonzero(np.bincount(mask[mask > 0]) > 20):
                pixels = np.argwhere(mask == found)
                y, x = 4 * pixels[len(pixels) // 2]
                draw.text(
                    (x, y),
                    str(found - 1),
                    "white",
                    font_size=26,
                    anchor="mm",
                    stroke_width=2,
                    stroke_fill="black",
                )
    digit_scenes.save(tiles, path)


if __name__ == "__main__":
    digit_training.main(__doc__, train, find, score, picture)
