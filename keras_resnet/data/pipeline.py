"""Batches for training and evaluation.

Order and augmentation are functions of (seed, epoch, position) alone: `order`
gives the indices and every example is augmented by a seed of its own. Batches
are therefore the same for any number of threads or devices, and a pipeline
that starts at a later step gives the very batches from there on.
"""

import numpy as np
import tensorflow as tf

from keras_resnet.data import datasets
from keras_resnet.data import order
from keras_resnet.data import transforms
from keras_resnet.errors import UsageError
from keras_resnet.errors import require


def train_dataset(split, recipe, *, fill, first_step=0):
    """Augmented training batches, steps `first_step` to `recipe.steps`.

    Args:
        split: `datasets.Split`.
        recipe: `recipes.Recipe`: batch_size, steps, seed, shuffle,
            image_size, augmentation and its numbers.
        fill: 3 floats, the mean colour, for padding.
        first_step: int, batches before it are not made.

    Returns:
        `tf.data.Dataset` of {"image": uint8 (B, S, S, 3), "label": int32 (B,),
        "weight": float32 (B,)}, B the global batch, S `recipe.image_size`.
    """
    augment = transforms.augmentation(recipe.augmentation)
    split = order.arranged(split, recipe)

    def steps():
        for step in range(first_step, recipe.steps):
            indices, seeds = order.positions(split, recipe, step)
            yield indices, seeds.view(np.int32).reshape(-1, 2)

    def example(index, seed):
        image, label = read_example(split, index)
        image = augment(image, seed, recipe, fill)
        return _example(image, label, 1.0, recipe.image_size)

    signature = (
        tf.TensorSpec((recipe.batch_size,), tf.int64),
        tf.TensorSpec((recipe.batch_size, 2), tf.int32),
    )
    dataset = tf.data.Dataset.from_generator(steps, output_signature=signature)
    dataset = dataset.unbatch().map(example, tf.data.AUTOTUNE)
    dataset = dataset.batch(recipe.batch_size, drop_remainder=True)
    return _finish(dataset)


def eval_dataset(split, *, batch_size, resize, size):
    """Every example once, in order, in full batches.

    The last batch is filled with copies of weight 0.

    Args:
        split: `datasets.Split`.
        batch_size: int, the global batch B.
        resize: pixels of the shorter side.
        size: pixels of the central crop, S.

    Returns:
        `tf.data.Dataset` of {"image": uint8 (B, S, S, 3), "label": int32 (B,),
        "weight": float32 (B,)}.
    """
    require(
        resize >= size,
        "The shorter side must not be below the crop. Received: "
        f"eval_resize={resize}, image_size={size}.",
    )
    n = split.num_examples
    padded = -(-n // batch_size) * batch_size

    def example(position):
        image, label = read_example(split, tf.minimum(position, n - 1))
        image = transforms.evaluation(image, resize=resize, size=size)
        weight = tf.cast(position < n, tf.float32)
        return _example(image, label, weight, size)

    dataset = tf.data.Dataset.range(padded).map(example, tf.data.AUTOTUNE)
    return _finish(dataset.batch(batch_size, drop_remainder=True))


def read_example(split, index):
    """(image, label) of an example, decoded: uint8 (H, W, 3), int32 scalar."""
    image, label = split.read(index)
    if image.dtype == tf.string:
        image = transforms.decode(image)
    return image, label


def _example(image, label, weight, size):
    return {
        "image": tf.ensure_shape(image, (size, size, 3)),
        "label": label,
        "weight": weight,
    }


def _finish(dataset):
    options = tf.data.Options()
    options.deterministic = True
    # Replicas take slices of one global batch.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)


def blame(split: datasets.Split, indices, error):
    """The `UsageError` that names the example which cannot be read.

    Args:
        split: where the examples are from.
        indices: of the examples among which one failed.
        error: what tf.data raised.
    """
    for index in dict.fromkeys(int(i) for i in indices):
        try:
            read_example(split, tf.constant(index, tf.int64))
        except tf.errors.OpError as reason:
            return UsageError(
                f"Cannot read {split.describe(index)}: "
                f"{reason.message.splitlines()[0]} "
                "Remove or replace it."
            )
    return UsageError(f"Cannot read a batch of {split.name}: {error.message}")
