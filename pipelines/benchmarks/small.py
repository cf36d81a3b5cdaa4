"""Images as small as CIFAR's, from memory: ours and the per-example way."""

import tensorflow as tf
from benchmarks import photographs

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.stores import memory

SIDE = 32
FILL = datasets.info("cifar10").pixel_mean


def prepare(num_examples, num_images):
    """Both contenders on the same patches of photographs.

    Args:
        num_examples: int, patches in memory; CIFAR has 50,000.
        num_images: int, those that one run makes.

    Returns:
        {name: function () -> iterator of uint8 (B, 32, 32, 3)}, B = 128.
    """
    recipe = recipes.load("cifar10_resnet20")
    steps = num_images // recipe.batch_size
    recipe = recipes.load("cifar10_resnet20", {"steps": steps})
    patches, labels = photographs.patches(num_examples, SIDE)
    return {
        "ours": _ours(patches, labels, recipe),
        "tf.data, example by example": _plain(patches, labels, recipe),
    }


def _ours(patches, labels, recipe):
    names = tuple(str(label) for label in range(labels.max() + 1))
    split = memory.from_memory("patches/train", names, patches, labels)
    dataset = pipeline.train_dataset(split, recipe, fill=FILL)
    return lambda: (batch["image"] for batch in dataset)


def _plain(patches, labels, recipe):
    """What a tutorial writes: pad, crop and flip each image by itself."""
    wide = SIDE + 2 * recipe.pad_pixels

    def example(image, label):
        image = tf.image.resize_with_crop_or_pad(image, wide, wide)
        image = tf.image.random_crop(image, (SIDE, SIDE, 3))
        return tf.image.random_flip_left_right(image), label

    dataset = tf.data.Dataset.from_tensor_slices((patches, labels)).repeat()
    dataset = dataset.take(recipe.steps * recipe.batch_size)
    dataset = dataset.map(example, tf.data.AUTOTUNE).batch(recipe.batch_size)
    dataset = dataset.prefetch(tf.data.AUTOTUNE)
    return lambda: (images for images, _ in dataset)
