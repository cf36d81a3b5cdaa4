"""Says of each pixel which digit it is of: a segmenter on residual features.

python docs/examples/segment_digits.py --picture=segmented.png

Trains in minutes on two cores, says its mean IoU on scenes of digits that it
has not seen and writes a picture: scenes above, what is found below. Needs
`digit_scenes.py` and `digit_scores.py` beside it.
"""

import argparse
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--variant", default="resnet34")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--picture", default="segmented.png")
    flags = parser.parse_args()
    keras.utils.set_random_seed(0)
    backbone = digit_scenes.backbone(flags.variant)
    scenes = digit_scenes.make(*digit_scenes.digits("train"), 3200, seed=0)
    model = train(backbone, scenes, steps=flags.steps)
    test = digit_scenes.make(*digit_scenes.digits("validation"), 500, seed=1)
    found = find(model, test.images)
    score = digit_scores.mean_iou(test.masks, found, CLASSES)
    print(f"mean IoU {score:.3f}")
    picture(test.images[:4], found[:4], flags.picture)


if __name__ == "__main__":
    main()
