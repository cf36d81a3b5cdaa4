"""A user's functions may branch on tensors; our own are not rewritten."""

import pytest
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import graphs
from keras_resnet.data.pixels import augmentations
from keras_resnet.data.pixels import transforms


def _read(index):
    label = tf.cast(index, tf.int32) % 2
    if label == 0:
        image = tf.fill((32, 32, 3), tf.constant(40, tf.uint8))
    else:
        image = tf.fill((32, 32, 3), tf.constant(80, tf.uint8))
    return image, label


def _double_dark(pixels, draws):
    del draws
    if tf.reduce_max(pixels) < 60.0:
        pixels = pixels * 2.0
    return pixels


@pytest.fixture
def double_dark():
    """The name of an augmentation, registered as a user registers one."""
    name = "double_dark"
    augmentations.register(name, about="twice", changes=(_double_dark,))
    yield name
    del augmentations.AUGMENTATIONS[name]


def _split():
    return datasets.Split(
        name="made/train",
        class_names=("dark", "bright"),
        num_examples=8,
        read=_read,
        describe=str,
    )


def test_a_users_source_and_augmentation_may_branch_on_tensors(double_dark):
    sizes = {"image_size": 32, "eval_resize": 32, "batch_size": 8}
    recipe = recipes.load("digits", {"augmentation": double_dark, **sizes})
    batches = pipeline.train_dataset(_split(), recipe, fill=[0.0] * 3)
    batch = next(iter(batches))
    assert sorted(batch["label"].numpy()) == [0] * 4 + [1] * 4
    assert (batch["image"].numpy() == 80).all()


def test_as_written_such_a_function_is_refused():
    numbers = tf.data.Dataset.range(2)
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        numbers.map(graphs.as_written(_read))
    assert len(list(numbers.map(graphs.as_written(graphs.rewritten(_read)))))


def test_ours_is_not_rewritten():
    assert graphs.rewritten(transforms.pad_crop) is transforms.pad_crop
