"""Batches for training and evaluation.

Order and augmentation are functions of (seed, epoch, position) alone: `order`
gives the indices, and every example is augmented with a seed of its own.
Batches are therefore the same for any number of threads or devices, and a
pipeline that starts at a later step gives the same batches from there on.
"""

import tensorflow as tf

from keras_resnet.data import bad_images
from keras_resnet.data import first_look
from keras_resnet.data.examples import execution
from keras_resnet.data.examples import graphs
from keras_resnet.data.examples import order
from keras_resnet.data.examples import splits
from keras_resnet.data.examples import stored_sides
from keras_resnet.data.examples.shares import Share
from keras_resnet.data.pixels import augmentations
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import training_views
from keras_resnet.data.pixels import transforms
from keras_resnet.labels.view import View


def train_dataset(
    split, recipe, *, fill, first_step=0, masked=None, context=None
):
    """Augmented training batches, steps `first_step` to `recipe.steps`.

    Args:
        split: `datasets.Split`.
        recipe: `recipes.Recipe`: batch_size, steps, seed, shuffle,
            image_size, augmentation and its numbers.
        fill: 3 floats, the mean colour, for padding.
        first_step: int, batches before it are not made.
        masked: `bad_images.MaskedImages`, to mask what cannot be read; without
            it the iterator fails there.
        context: `tf.distribute.InputContext` of the worker whose share this
            is; each global batch has one element for each of its replicas.
            Default: a global batch is one element.

    Returns:
        `tf.data.Dataset` of {"image": uint8 (B, S, S, 3), "label": int32 (B,),
        "weight": float32 (B,)}, B the global batch or a replica's, S
        `recipe.image_size`. Labels are uint8 (B, K) where the split is
        `multi_label`, here and below.
    """
    _check_sides(split, recipe)
    split = splits.as_seen(order.arranged(split, recipe), recipe.exif)
    share = Share.of(context, recipe.batch_size)

    def steps():
        for step in range(first_step, recipe.steps):
            indices, seeds = order.positions(split, recipe, step)
            yield from zip(share.rows(indices), share.rows(seeds), strict=True)

    signature = (
        tf.TensorSpec((share.batch_size,), tf.int64),
        tf.TensorSpec((share.batch_size,), tf.int64),
    )
    dataset = tf.data.Dataset.from_generator(steps, output_signature=signature)
    if _is_batchwise(split, recipe):
        dataset = _batchwise(dataset, split, recipe, fill)
    else:
        dataset = _one_by_one(dataset, split, recipe, fill, masked)
        dataset = dataset.batch(share.batch_size, drop_remainder=True)
    return execution.ahead(dataset)


def _check_sides(split, recipe):
    """Refuses a recipe whose crops ask for more pixels than were stored."""
    row = augmentations.augmentation(recipe.augmentation)
    scales = {"scale_range": max(recipe.scale_range)} if row.scales else {}
    stored_sides.check(
        split,
        image_size=recipe.image_size,
        eval_resize=recipe.eval_resize,
        **scales,
    )


def _is_batchwise(split, recipe):
    """Whether all pixels lie in memory, at the size that the network takes."""
    size = recipe.image_size
    return (
        split.pixels is not None
        and split.pixels.shape[1:3] == (size, size)
        and View.of(recipe).at(size).resize == size
        and training_views.is_batchwise(recipe)
    )


def _batchwise(steps, split, recipe, fill):
    pixels, labels = tf.constant(split.pixels), tf.constant(split.labels)

    def batch(indices, seeds):
        return {
            "image": training_views.apply_to_batch(
                tf.gather(pixels, indices),
                training_views.draw(seeds, recipe),
                recipe,
                fill,
            ),
            "label": tf.gather(labels, indices),
            "weight": tf.ones(indices.shape),
        }

    return steps.map(graphs.as_written(batch), tf.data.AUTOTUNE)


def _one_by_one(steps, split, recipe, fill, masked):
    def example(index, draws, *found):
        image, label, part = found or (*split.read(index), None)
        image = view(image, draws, part)
        return {"image": image, "label": label, "weight": 1.0}

    def view(image, draws, part=None):
        image = training_views.apply(image, draws, recipe, fill, part)
        size = recipe.image_size
        return tf.ensure_shape(image, (size, size, 3))

    if masked is not None:
        grey = training_views.draw(tf.constant(0, tf.int64), recipe)
        example = bad_images.mask(
            example,
            lambda: _masked(split, lambda image: view(image, grey)),
            masked,
        )
    # Draws the numbers of a whole batch at once.
    steps = steps.map(
        graphs.as_written(
            lambda indices, seeds: (
                indices,
                training_views.draw(seeds, recipe),
            )
        )
    )
    examples = steps.unbatch()
    if first_look.is_for(split, recipe):
        examples = first_look.add(examples, split, recipe, masked)
    return examples.map(graphs.as_written(example), tf.data.AUTOTUNE)


def eval_dataset(split, view, *, batch_size, masked=None, context=None):
    """Every example once, in order, in full batches.

    The last batch is filled with copies of weight 0.

    Args:
        split: `datasets.Split`.
        view: `labels.view.View`: the shorter side and the central crop, S.
        batch_size: int, the global batch B.
        masked, context: as for `train_dataset`.

    Returns:
        `tf.data.Dataset` of {"image": uint8 (B, S, S, 3), "label": int32 (B,),
        "weight": float32 (B,)}, B the global batch or a replica's.
    """

    def pixels(image):
        image = decoding.pixels(image, view.exif)
        image = transforms.evaluation(image, view)
        return tf.ensure_shape(image, (view.crop, view.crop, 3))

    stored_sides.check(split, eval_resize=view.resize)
    split = splits.as_seen(split, view.exif)
    return every_example(
        split, pixels, batch_size=batch_size, masked=masked, context=context
    )


def every_example(split, pixels, *, batch_size, masked=None, context=None):
    """Every example once, in order, in full batches of what `pixels` returns.

    The last global batch is filled with copies of weight 0.

    Args:
        split: `datasets.Split`.
        pixels: function of an image as `split.read` gives it, to a tensor or
            nested tuples of tensors.
        batch_size: int, the global batch.
        masked, context: as for `train_dataset`.

    Returns:
        `tf.data.Dataset` of {"image": what `pixels` returns, with a first
        dimension B, "label": int32 (B,), "weight": float32 (B,)}, B the
        global batch or a replica's.
    """
    n, share = split.num_examples, Share.of(context, batch_size)
    steps = -(-n // batch_size)

    def example(index, weight):
        image, label = split.read(index)
        return {"image": pixels(image), "label": label, "weight": weight}

    if masked is not None:
        example = bad_images.mask(
            example, lambda: _masked(split, pixels), masked
        )
    dataset = tf.data.Dataset.range(steps * share.size).map(
        graphs.as_written(share.place)
    )
    dataset = dataset.map(
        graphs.as_written(
            lambda i: (tf.minimum(i, n - 1), tf.cast(i < n, tf.float32))
        )
    )
    dataset = dataset.map(graphs.as_written(example), tf.data.AUTOTUNE)
    dataset = dataset.batch(share.batch_size, drop_remainder=True)
    return execution.ahead(dataset)


def _masked(split, view):
    """What replaces an image that cannot be read: a grey one of weight 0."""
    grey = tf.fill((1, 1, 3), tf.constant(128, tf.uint8))
    label = tf.constant(0)
    if split.multi_label:
        label = tf.zeros(len(split.class_names), tf.uint8)
    return {
        "image": view(grey),
        "label": label,
        "weight": tf.constant(0.0),
    }


def read_example(split, index, exif):
    """As `Split.read`, with the image decoded: (uint8 (H, W, 3), label).

    `exif` is a key of `labels.view.EXIF`.
    """
    image, label = splits.as_seen(split, exif).read(index)
    return decoding.pixels(image, exif), label
