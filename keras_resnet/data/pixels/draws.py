"""The random numbers of augmentations: how many, and some of them in NumPy.

No TensorFlow: training without it sees the same pixels.
"""

import numpy as np

from keras_resnet.data.examples import order

# How many uniform numbers each part of an augmentation takes, in this order.
COUNTS = {
    "window": 22,  # `windows.DRAWS`
    "pad": 2,
    "flip": 1,
    "pca": 3,  # `colors.PCA_DRAWS`
    "jitter": 4,  # `colors.JITTER_DRAWS`
}


def uniform(seeds, name):
    """What `training_views.draw(seeds)[name]` is, bit for bit.

    Args:
        seeds: int64 (...,).
        name: key of `COUNTS`.

    Returns:
        float32 (..., n), uniform between 0 and 1.
    """
    names = list(COUNTS)
    first = sum(COUNTS[other] for other in names[: names.index(name)])
    counters = np.arange(first, first + COUNTS[name], dtype=np.uint64)
    key = order.splitmix64(np.asarray(seeds, np.int64).view(np.uint64))
    bits = order.splitmix64(key[..., np.newaxis] + counters)
    bits = (bits >> np.uint64(41)).astype(np.float32)
    return (bits + np.float32(0.5)) * np.float32(2.0**-23)


def integer(numbers, n):
    """An int32 in [0, n) from uniform numbers; n < 2 ** 23."""
    return (numbers * np.float32(n)).astype(np.int32)
