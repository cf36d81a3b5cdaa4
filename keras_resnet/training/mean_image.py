"""The mean of the training images, pixel by pixel (P1 sec. 3.4, 4.2)."""

import numpy as np

from keras_resnet.data import bad_images
from keras_resnet.data import pipeline

_BATCH = 256


def compute(split, view, *, masked=None):
    """The mean of the evaluation views of a split, read once.

    Pixels are summed as integers, so that the mean does not depend on who
    computes it, or in which order.

    Args:
        split: `datasets.Split`.
        view: `labels.view.View`, of crops of S pixels.
        masked: `bad_images.MaskedImages`, whose images do not count, or None
            to fail.

    Returns:
        float64 (S, S, 3).

    Raises:
        keras_resnet.UsageError: for an image that cannot be read.
    """
    batch_size = min(_BATCH, split.num_examples)
    dataset = pipeline.eval_dataset(
        split, view, batch_size=batch_size, masked=masked
    )
    total, count = np.zeros((view.crop, view.crop, 3), np.int64), 0
    for batch in bad_images.naming_bad(split, dataset, batch_size):
        # Weight 0 marks padding of the last batch and masked images.
        counts = batch["weight"].numpy() > 0
        total += batch["image"].numpy()[counts].sum(axis=0, dtype=np.int64)
        count += counts.sum()
    if masked is not None:
        masked.check()
    return total / count
