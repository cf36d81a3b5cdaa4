"""A few of the images of an export, to try it on."""

import re

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import class_labels

NUM_SAMPLES = 8

_LONGEST_NAME = 255  # bytes, on every file system that is in use


def write(folder, images, labels, card):
    """Writes PNG files named by number and class, one of each class first."""
    first = []
    if labels is not None:
        _, first = np.unique(labels, return_index=True, axis=0)
    others = np.setdiff1d(np.arange(len(images)), first)
    chosen = [*first, *others][:NUM_SAMPLES]
    folder.mkdir()
    for number, index in enumerate(map(int, chosen)):
        words = "unknown"
        if labels is not None:
            label = class_labels.plain(labels[index])
            words = class_labels.text(label, card.class_names)
        path = folder / _sample_name(number, words)
        path.write_bytes(tf.io.encode_png(images[index]).numpy())


def _sample_name(number, class_name):
    """A file name with the class, cut to what a file system takes."""
    start, end = f"{number:02d}_label-", ".png"
    word = re.sub(r"[^\w-]+", "_", class_name).encode()
    word = word[: _LONGEST_NAME - len(start) - len(end)]
    return start + word.decode(errors="ignore") + end
