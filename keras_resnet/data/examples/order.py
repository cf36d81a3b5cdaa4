"""The order of the examples: a pure function of (seed, epoch, position).

An epoch is a permutation of the indices, so the batch of any step is known
without those before it, and is the same for any number of workers, which take
slices of it.

How random an epoch is, for N examples:

    shuffle="examples"  Uniform over all permutations, up to the generator.
    shuffle="blocks"    The blocks are permuted uniformly. Each run of
        `shuffle_blocks` (W) blocks in that order is a window, in which the
        examples are permuted uniformly. An example can come anywhere in an
        epoch, but the examples of a block lie within W blocks of each other:
        an epoch of one window is the uniform shuffle; W = 1 mixes only within
        a block. A batch smaller than a window draws from W blocks, or from 2 W
        if it spans two windows: if the store is sorted by class, it mixes that
        few classes. With 1,000 sorted classes of a block each (73 images, 8 MB
        of ImageNet), a batch of 256 mixes 7 for W = 4, 19 for W = 16, 64 for
        W = 64, and 227 after the uniform shuffle.
        Every epoch has other windows.
"""

import dataclasses
import functools

import numpy as np

from keras_resnet.errors import require

_REPETITION = 48  # bits; no store has 2**48 examples


def positions(split, recipe, step):
    """What the batch of a step holds.

    An epoch holds every example once; a batch may span two epochs. With
    `repeated_augmentation` (R) it still holds N images: the first N / R
    examples of its permutation, R times each. Which ones are left out changes
    from epoch to epoch, as in the samplers of DeiT, torchvision and timm. In a
    batch the first repetition of each example comes first, then the second, so
    that devices that share a batch have different images.

    Args:
        split: `splits.Split`, or for `shuffle="examples"` just its number of
            examples.
        recipe: `recipes.Recipe`: batch_size (B), seed, shuffle,
            shuffle_blocks, repeated_augmentation.
        step: int >= 0.

    Returns:
        (indices, seeds): int64 (B,) both. Every repetition of an example has a
        seed of its own in each epoch.

    Raises:
        keras_resnet.UsageError: if blocks are to be shuffled and there are
            none.
    """
    num_examples = getattr(split, "num_examples", split)
    first = step * recipe.batch_size
    position = np.arange(first, first + recipe.batch_size)
    epochs, places = np.divmod(position, num_examples)
    places, repetitions = np.divmod(places, recipe.repeated_augmentation)
    together = np.argsort(repetitions, kind="stable")
    epochs, places, repetitions = (
        part[together] for part in (epochs, places, repetitions)
    )
    indices = np.empty(len(position), np.int64)
    for epoch in np.unique(epochs):
        order = _epoch(split, num_examples, recipe, int(epoch))
        indices[epochs == epoch] = order[places[epochs == epoch]]
    of_epoch = splitmix64(epochs.astype(np.uint64) ^ _key(recipe.seed, 1))
    numbers = indices + (repetitions << _REPETITION)
    bits = splitmix64(of_epoch + numbers.astype(np.uint64))
    return indices, bits.view(np.int64)


def evenly_spaced(name, num_examples, number):
    """Evenly spaced indices: each class keeps its share, wherever it lies.

    Args:
        name: of the split, for the message.
        num_examples: int, how many there are.
        number: int, how many to take.

    Returns:
        int64 (number,), ascending.

    Raises:
        keras_resnet.UsageError: if there are fewer.
    """
    require(
        number <= num_examples,
        f"{name} has {num_examples} examples. Received: "
        f"train_examples={number}.",
    )
    return np.arange(number) * num_examples // number


def set_aside(name, num_examples, number):
    """Indices of some examples, evenly spaced, and of all others.

    Args:
        name: of the split, for the message.
        num_examples: int, how many there are.
        number: int, how many are set aside.

    Returns:
        int64 arrays, ascending: of all others, and of those set aside.

    Raises:
        keras_resnet.UsageError: if no other is left.
    """
    require(
        number < num_examples,
        f"holdout_examples={number} leaves nothing to train on: {name} has "
        f"{num_examples} examples. Hold out fewer, or 0: then the validation "
        "images judge the run.",
    )
    chosen = evenly_spaced(name, num_examples, number)
    return np.delete(np.arange(num_examples), chosen), chosen


def a_few(num_examples, most):
    """Indices of a sample, from the first example to the last: ints.

    Args:
        num_examples: int, how many there are.
        most: int, how many to name at most.
    """
    places = np.linspace(0, num_examples - 1, most).astype(int)
    return list(dict.fromkeys(places.tolist()))


def arranged(split, recipe):
    """The split, arranged for the order in which a recipe reads it.

    Args:
        split: `splits.Split`.
        recipe: `recipes.Recipe`.

    Returns:
        `splits.Split`: the same examples. With `shuffle="blocks"` it reads
        whole blocks and keeps those of two windows, because some threads still
        read the end of one window while others begin the next.

    Raises:
        keras_resnet.UsageError: if blocks are to be shuffled and there are
            none.
    """
    if recipe.shuffle == "examples":
        return split
    return dataclasses.replace(
        split, read=_blocks(split).reader(2 * recipe.shuffle_blocks)
    )


def _epoch(split, num_examples, recipe, epoch):
    if recipe.shuffle == "examples":
        return _permutation(num_examples, recipe.seed, epoch)
    return _block_permutation(
        _blocks(split), recipe.shuffle_blocks, recipe.seed, epoch
    )


def _blocks(split):
    blocks = getattr(split, "blocks", None)
    name = getattr(split, "name", "A number of examples")
    require(
        blocks is not None,
        f"{name} does not lie in blocks, so --shuffle=blocks cannot work. "
        "Take --shuffle=examples, which any store here can read; blocks are "
        "for TFRecord files (tfrecord:PATTERN, and large TFDS data sets that "
        "are prepared as tfrecord) where random reads are slow.",
    )
    return blocks


@functools.lru_cache(maxsize=2)  # a batch may span two epochs
def _permutation(num_examples, seed, epoch):
    return np.argsort(_hashes(num_examples, seed, 0, epoch), kind="stable")


@functools.lru_cache(maxsize=2)
def _block_permutation(blocks, num_mixed, seed, epoch):
    sizes = np.diff(blocks.starts)
    order = np.argsort(_hashes(len(sizes), seed, 2, epoch), kind="stable")
    window = np.empty(len(sizes), np.int64)
    window[order] = np.arange(len(sizes)) // num_mixed
    of_example = np.repeat(window, sizes)
    return np.lexsort((_hashes(len(of_example), seed, 0, epoch), of_example))


def _hashes(number, *key):
    """Random bits of 0, 1, ...: uint64 (number,)."""
    return splitmix64(np.arange(number, dtype=np.uint64) ^ _key(*key))


def _key(*numbers):
    key = np.zeros(1, np.uint64)
    for number in numbers:
        key = splitmix64(key + np.uint64(number))
    return key


def splitmix64(x):
    """Steele et al. 2014: our own bits, the same in every NumPy version."""
    x = np.asarray(x, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
