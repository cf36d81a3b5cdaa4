"""Images as small as CIFAR's, from memory: ours and the per-example way."""

import tensorflow as tf
from benchmarks import photographs
from benchmarks.input_contenders import batched
from benchmarks.input_contenders import passes

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.stores import memory

SIDE = 32


def small(batches, patches, images):
    """A contender whose step makes `images` of pixels in memory.

    Args:
        batches: key of `SMALL`.
        patches: int, squares of photographs in memory; CIFAR has 50,000.
        images: of a step, a multiple of 128.
    """
    pixels, labels = photographs.patches(patches, SIDE)

    def build():
        of_step = recipes.load("cifar10_resnet20", {"steps": images // 128})
        return passes(SMALL[batches](pixels, labels, of_step), images)

    return build


def _ours(pixels, labels, recipe):
    names = tuple(str(label) for label in range(labels.max() + 1))
    split = memory.from_memory("patches/train", names, pixels, labels)
    fill = datasets.info("cifar10").pixel_mean
    dataset = pipeline.train_dataset(split, recipe, fill=fill)
    return lambda: (batch["image"] for batch in dataset)


def _plain(pixels, labels, recipe):
    """What a tutorial writes: pad, crop and flip each image by itself."""
    wide = SIDE + 2 * recipe.pad_pixels

    def example(image, label):
        image = tf.image.resize_with_crop_or_pad(image, wide, wide)
        image = tf.image.random_crop(image, (SIDE, SIDE, 3))
        return tf.image.random_flip_left_right(image), label

    examples = tf.data.Dataset.from_tensor_slices((pixels, labels)).repeat()
    examples = examples.take(recipe.steps * recipe.batch_size)
    batches = batched(examples.map(example, tf.data.AUTOTUNE), recipe)
    return lambda: (images for images, _ in batches())


SMALL = {"ours": _ours, "plain": _plain}
