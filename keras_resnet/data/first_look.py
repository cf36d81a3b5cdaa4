"""Reads files, then chooses for many at once what to decode of each.

That takes fewer small operations. The choice is the same for any number.
"""

import tensorflow as tf

from keras_resnet.data import bad_images
from keras_resnet.data.examples import graphs
from keras_resnet.data.pixels import augmentations
from keras_resnet.data.pixels import parts
from keras_resnet.data.pixels import training_views

_AT_ONCE = 16  # files, in memory until the choice is made


def is_for(split, recipe):
    """Whether a split holds files, and a recipe chooses for many at once."""
    if not augmentations.augmentation(recipe.augmentation).of_many:
        return False
    spec, _ = graphs.element_spec(split)
    return spec.dtype == tf.string


def add(examples, split, recipe, masked):
    """Reads files, and chooses what to decode of each.

    Args:
        examples: `tf.data.Dataset` of (index, draws).
        split, recipe, masked: as for `pipeline.train_dataset`.

    Returns:
        `tf.data.Dataset` of (index, draws, file, label, `parts.Part`).
    """

    def look(index):
        image, label = split.read(index)
        return image, label, parts.header(image, recipe.exif)

    def choose(index, draws, image, label, header):
        part = training_views.choose(header, draws, recipe)
        return index, draws, image, label, part

    look = look if masked is None else bad_images.or_empty(look)
    examples = examples.map(
        graphs.as_written(lambda index, draws: (index, draws, *look(index))),
        tf.data.AUTOTUNE,
    )
    examples = examples.batch(_AT_ONCE).map(graphs.as_written(choose))
    return examples.unbatch()
