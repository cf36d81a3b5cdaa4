"""Training steps in TensorFlow: ours, and keras.applications under `fit`."""

import keras
import numpy as np
import tensorflow as tf
from benchmarks import input_contenders

import keras_resnet
from keras_resnet import recipes
from keras_resnet.training import distribution
from keras_resnet.training import start
from keras_resnet.training import step as step_lib

CLASSES = 1000


def _pixels(image_size, batch_size):
    rng = np.random.default_rng(0)
    images = rng.integers(
        0, 256, (batch_size, image_size, image_size, 3), np.uint8
    )
    return images, rng.integers(0, CLASSES, batch_size, np.int32)


def ours(
    image_size,
    batch_size,
    *,
    variant="resnet50",
    classes=CLASSES,
    dtype="float32",
    folder=None,
    choices=None,
):
    """The step of `pipelines/train.py` on one device.

    Args:
        image_size, batch_size: ints.
        variant: key of `keras_resnet.VARIANTS`.
        classes: int.
        dtype: dtype policy.
        folder: with JPEG files in train/CLASS/, which the input pipeline
            reads. Default: one batch of random pixels, again and again.
        choices: dict of other arguments of `keras_resnet.build`.
    """
    strategy = distribution.make_strategy("one_device")
    if folder:
        batches = input_contenders.endless(folder, batch_size, image_size)
    else:
        batches = _constant(image_size, batch_size, classes)

    def build():
        with strategy.scope():
            model = keras_resnet.build(
                variant,
                input_shape=(image_size, image_size, 3),
                classes=classes,
                dtype=dtype,
                **(choices or {}),
            )
            recipe = recipes.load("imagenet_resnet50", {"dtype": dtype})
            optimizer = start.make_optimizer(model, recipe)
        train_step = step_lib.make_train_step(strategy, model, optimizer)

        def steps(count, tick):
            for _ in range(count):
                np.asarray(train_step(next(batches)))
                tick()

        return steps

    return build


def _constant(image_size, batch_size, classes):
    images, labels = _pixels(image_size, batch_size)
    batch = {
        "image": tf.constant(images),
        "label": tf.constant(labels % classes),
        "weight": tf.ones(batch_size),
    }
    while True:
        yield batch


def their_step(image_size, batch_size):
    """keras.applications' ResNet-50 as its users train it.

    Its pixels are floats already, normalised, in memory.
    """
    images, labels = _pixels(image_size, batch_size)
    images = images.astype(np.float32) / 127.5 - 1
    batch = tf.data.Dataset.from_tensors((images, labels))
    dataset = batch.repeat().prefetch(tf.data.AUTOTUNE)

    def build():
        model = keras.applications.ResNet50(
            weights=None, input_shape=(image_size, image_size, 3)
        )
        model.compile(
            optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
            loss="sparse_categorical_crossentropy",
        )

        def steps(count, tick):
            after_each = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: tick()
            )
            model.fit(
                dataset,
                steps_per_epoch=count,
                callbacks=[after_each],
                verbose=0,
            )

        return steps

    return build


def our_model(name):
    """Any of our networks, random weights, and nothing else."""

    def build():
        keras_resnet.build(name)

    return build


def their_model(name):
    """Any network of keras.applications, random weights."""

    def build():
        getattr(keras.applications, name)(weights=None)

    return build
