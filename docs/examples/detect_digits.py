"""Finds digits in scenes: a detector on the features of a residual network.

python docs/examples/detect_digits.py --picture=found.png

Trains in minutes on two cores, says its mAP on scenes of digits that it has
not seen and writes a picture. Needs keras_resnet, and the three files
`digit_*.py` beside it.

The detector is CenterNet (Zhou et al. 2019, arXiv 1904.07850): it says for
each cell of 4 x 4 pixels how likely it is the middle of a digit of each class,
and how far the four edges of that digit are. KerasHub's RetinaNet takes the
same networks; its pyramid and heads of 256 filters cost more than ten times
as much as these networks.
"""

import digit_scenes
import digit_scores
import digit_training
import keras
import numpy as np
from keras import layers
from keras import ops
from PIL import ImageDraw

STRIDE = 4  # pixels of a cell, the stride of C2
CELLS = digit_scenes.SIDE // STRIDE
MOST = 20  # guesses a scene
MIDDLES = STRIDE * (np.arange(CELLS) + 0.5)


def detector(backbone):
    """A model from pixels to "middle" (B, 16, 16, 10) and "edges" (.., 4)."""
    pixels, x = digit_training.pyramid(backbone)
    rare = keras.initializers.Constant(-4.6)  # 1 %: most cells are no middle
    middle = layers.Conv2D(
        digit_scenes.CLASSES, 1, bias_initializer=rare, name="middle"
    )
    edges = layers.Conv2D(4, 1, bias_initializer="ones", name="edges")
    return keras.Model(pixels, {"middle": middle(x), "edges": edges(x)})


def targets(scenes):
    """What the detector should say.

    "middle": 1 at the middle of a digit, less around it. "edges": distances
    of the box's left, top, right and bottom from the cell's middle in cells,
    and 1 at the middle of a digit.
    """
    shape = (len(scenes.images), CELLS, CELLS)
    middle = np.zeros((*shape, digit_scenes.CLASSES), np.float32)
    edges = np.zeros((*shape, 5), np.float32)
    for i, (boxes, labels) in enumerate(
        zip(scenes.boxes, scenes.labels, strict=True)
    ):
        for box, label in zip(boxes, labels, strict=True):
            at = (box[:2] + box[2:]) / 2 // STRIDE
            x, y = at.astype(int)
            far = (np.indices((CELLS, CELLS)) - [[[y]], [[x]]]) ** 2
            near = np.exp(-far.sum(0) / 2)
            middle[i, ..., label] = np.maximum(middle[i, ..., label], near)
            cell = MIDDLES[[x, y]]
            distances = [*(cell - box[:2]), *(box[2:] - cell)]
            edges[i, y, x] = [*np.divide(distances, STRIDE), 1]
    return {"middle": middle, "edges": edges}


def middle_loss(truth, logits):
    """CenterNet's focal loss, per digit (its eq. 1)."""
    p, is_middle = ops.sigmoid(logits), ops.cast(truth == 1, "float32")
    yes = is_middle * (1 - p) ** 2 * ops.log_sigmoid(logits)
    no = (1 - truth) ** 4 * p**2 * ops.log_sigmoid(-logits)
    return -ops.sum(yes + no) / ops.sum(is_middle)


def edges_loss(truth, edges):
    """The mean distance of edges in cells, at the middles of digits."""
    is_middle = truth[..., 4:]
    apart = ops.abs(edges - truth[..., :4]) * is_middle
    return ops.sum(apart) / (4 * ops.sum(is_middle))


def train(backbone, scenes, **how):
    """A detector on a backbone; `how` as `digit_training.train` takes it."""
    model = detector(backbone)
    loss = {"middle": middle_loss, "edges": edges_loss}
    digit_training.train(model, loss, scenes.images, targets(scenes), **how)
    return model


def find(model, images):
    """A list of (boxes, labels, scores), the surest first, for each image."""
    return decode(**model.predict(images, batch_size=100, verbose=0))


def decode(middle, edges):
    """What the logits and the distances of a detector say, as `find`."""
    peaks = ops.max_pool(middle, 3, strides=1, padding="same")
    middle = np.where(middle == ops.convert_to_numpy(peaks), middle, -np.inf)
    return [_surest(*one) for one in zip(middle, edges, strict=True)]


def _surest(logits, edges):
    flat = logits.ravel()
    surest = np.argsort(-flat)[:MOST]
    y, x, labels = np.unravel_index(surest, logits.shape)
    cell = np.stack([MIDDLES[x], MIDDLES[y]], -1)
    far = np.maximum(edges[y, x], 0) * STRIDE
    boxes = np.concatenate([cell - far[:, :2], cell + far[:, 2:]], -1)
    return boxes, labels, 1 / (1 + np.exp(-flat[surest]))


def score(scenes, found):
    """COCO's mAP of what `find` found, 0 to 1, by name."""
    truth = list(zip(scenes.boxes, scenes.labels, strict=True))
    each = digit_scores.mean_average_precision(truth, found)
    return {"mAP at IoU 0.5": each[0], "mAP at 0.5 to 0.95": each.mean()}


def picture(images, found, path):
    """Draws what is at least 0.3 sure, where nothing surer is."""
    tiles = []
    for image, guesses in zip(images, found, strict=True):
        tiles.append(digit_scenes.enlarged(image))
        draw = ImageDraw.Draw(tiles[-1])
        drawn = np.empty((0, 4))
        for box, label, sure in zip(*guesses, strict=True):
            again = digit_scores.iou(box[None], drawn).max(initial=0) > 0.5
            if sure >= 0.3 and not again:
                drawn = np.vstack([drawn, box])
                left, top, right, bottom = 4 * box
                draw.rectangle(
                    (left, top, right, bottom), outline="yellow", width=2
                )
                draw.text((left + 5, top), str(label), "yellow", font_size=26)
    digit_scenes.save(tiles, path)


if __name__ == "__main__":
    digit_training.main(__doc__, train, find, score, picture)
