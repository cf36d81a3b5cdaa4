"""Says of each pixel which digit it is of: a segmenter on residual features.

python docs/examples/segment_digits.py --picture=segmented.png

Trains in minutes on two cores, says its mean IoU on scenes of digits that it
has not seen and writes a picture: scenes above, what is found below. Needs
`digit_scenes.py` and `digit_scores.py` beside it.
"""

import colorsys

import digit_scenes
import digit_scores
import keras
import numpy as np
from keras import layers
from PIL import Image

CLASSES = 1 + digit_scenes.CLASSES  # the background is class 0


def segmenter(backbone):
    """A model from pixels to a logit of each class for each: (B, H, W, 11)."""
    pixels, x = digit_scenes.pyramid(backbone)
    # From each cell of 4 x 4 pixels what each of them is.
    return keras.Model(pixels, layers.Conv2DTranspose(CLASSES, 4, 4)(x))


def train(backbone, scenes, **how):
    """A segmenter on a backbone; `how` as `digit_scenes.train` takes it."""
    model = segmenter(backbone)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    digit_scenes.train(model, loss, scenes.images, scenes.masks, **how)
    return model


def find(model, images):
    """The class of each pixel: int (N, H, W)."""
    return model.predict(images, batch_size=100, verbose=0).argmax(-1)


def score(scenes, found):
    """The mean IoU of what `find` found, 0 to 1, by name."""
    return {"mean IoU": digit_scores.mean_iou(scenes.masks, found, CLASSES)}


def picture(images, masks, path):
    """Images, and each class in a colour of its own below them."""
    hues = [colorsys.hsv_to_rgb(i / 10, 1, 1) for i in range(10)]
    colors = np.uint8(np.multiply([(0, 0, 0), *hues], 255))
    tiles = []
    for one in (*images, *colors[masks]):
        size = (4 * digit_scenes.SIDE,) * 2
        tile = Image.fromarray(one).resize(size, Image.NEAREST)
        tiles.append(np.asarray(tile))
    digit_scenes.save(tiles, path)


if __name__ == "__main__":
    digit_scenes.main(__doc__, train, find, score, picture)
