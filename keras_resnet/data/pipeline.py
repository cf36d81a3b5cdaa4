"""Batches for training and evaluation.

Order and augmentation are functions of (seed, epoch, position) alone: `order`
gives the indices and every example is augmented by a seed of its own. Batches
are therefore the same for any number of threads or devices, and a pipeline
that starts at a later step gives the very batches from there on.
"""

import tensorflow as tf

from keras_resnet.data import augmentations
from keras_resnet.data import bad_images
from keras_resnet.data import decoding
from keras_resnet.data import order
from keras_resnet.data import transforms
from keras_resnet.errors import require


def train_dataset(split, recipe, *, fill, first_step=0, masked=None):
    """Augmented training batches, steps `first_step` to `recipe.steps`.

    Args:
        split: `datasets.Split`.
        recipe: `recipes.Recipe`: batch_size, steps, seed, shuffle,
            image_size, augmentation and its numbers.
        fill: 3 floats, the mean colour, for padding.
        first_step: int, batches before it are not made.
        masked: `bad_images.MaskedImages`, to mask what cannot be read; without
            it the iterator fails there.

    Returns:
        `tf.data.Dataset` of {"image": uint8 (B, S, S, 3), "label": int32 (B,),
        "weight": float32 (B,)}, B the global batch, S `recipe.image_size`.
    """
    split = order.arranged(split, recipe)

    def steps():
        for step in range(first_step, recipe.steps):
            yield order.positions(split, recipe, step)

    signature = (
        tf.TensorSpec((recipe.batch_size,), tf.int64),
        tf.TensorSpec((recipe.batch_size,), tf.int64),
    )
    dataset = tf.data.Dataset.from_generator(steps, output_signature=signature)
    if _is_batchwise(split, recipe):
        dataset = _batchwise(dataset, split, recipe, fill)
    else:
        dataset = _one_by_one(dataset, split, recipe, fill, masked)
    return _finish(dataset)


def _is_batchwise(split, recipe):
    """Whether all pixels lie in memory, at the size that the network takes."""
    size = recipe.image_size
    return (
        split.pixels is not None
        and split.pixels.shape[1:3] == (size, size)
        and recipe.eval_resize == size
        and augmentations.augmentation(recipe.augmentation).window is None
    )


def _batchwise(steps, split, recipe, fill):
    pixels, labels = tf.constant(split.pixels), tf.constant(split.labels)

    def batch(indices, seeds):
        return {
            "image": augmentations.apply_to_batch(
                tf.gather(pixels, indices),
                augmentations.draw(seeds),
                recipe,
                fill,
            ),
            "label": tf.gather(labels, indices),
            "weight": tf.ones((recipe.batch_size,)),
        }

    return steps.map(batch, tf.data.AUTOTUNE)


def _one_by_one(steps, split, recipe, fill, masked):
    def example(index, draws):
        image, label = split.read(index)
        return {"image": view(image, draws), "label": label, "weight": 1.0}

    def view(image, draws):
        image = augmentations.apply(image, draws, recipe, fill)
        size = recipe.image_size
        return tf.ensure_shape(image, (size, size, 3))

    if masked is not None:
        grey = augmentations.draw(tf.constant(0, tf.int64))
        example = bad_images.mask(
            example, lambda: _masked(lambda image: view(image, grey)), masked
        )
    # Drawn for a batch at once, and only what the augmentation takes.
    used = augmentations.used(recipe)
    steps = steps.map(
        lambda indices, seeds: (
            indices,
            {n: d for n, d in augmentations.draw(seeds).items() if n in used},
        )
    )
    examples = steps.unbatch().map(example, tf.data.AUTOTUNE)
    return examples.batch(recipe.batch_size, drop_remainder=True)


def eval_dataset(split, *, batch_size, resize, size, masked=None):
    """Every example once, in order, in full batches.

    The last batch is filled with copies of weight 0.

    Args:
        split: `datasets.Split`.
        batch_size: int, the global batch B.
        resize: pixels of the shorter side.
        size: pixels of the central crop, S.
        masked: as for `train_dataset`.

    Returns:
        `tf.data.Dataset` of {"image": uint8 (B, S, S, 3), "label": int32 (B,),
        "weight": float32 (B,)}.
    """
    require(
        resize >= size,
        "The shorter side must not be below the crop. Received: "
        f"eval_resize={resize}, image_size={size}.",
    )

    def view(image):
        image = transforms.evaluation(image, resize=resize, size=size)
        return tf.ensure_shape(image, (size, size, 3))

    return every_example(split, view, batch_size=batch_size, masked=masked)


def every_example(split, view, *, batch_size, batches=1, masked=None):
    """Every example once, in order, in full batches of any view of it.

    The last batches are filled with copies of weight 0.

    Args:
        split: `datasets.Split`.
        view: uint8 (H, W, 3) -> tensor, or nested tuples of tensors.
        batch_size: int, B.
        batches: the number of batches is a multiple of it, so that as many
            devices have a batch each at every step.
        masked: as for `train_dataset`.

    Returns:
        `tf.data.Dataset` of {"image": what `view` returns, with a first
        dimension B, "label": int32 (B,), "weight": float32 (B,)}.
    """
    n, whole = split.num_examples, batch_size * batches
    padded = -(-n // whole) * whole

    def example(index, weight):
        image, label = read_example(split, index)
        return {"image": view(image), "label": label, "weight": weight}

    if masked is not None:
        example = bad_images.mask(example, lambda: _masked(view), masked)
    dataset = tf.data.Dataset.range(padded).map(
        lambda i: (tf.minimum(i, n - 1), tf.cast(i < n, tf.float32))
    )
    dataset = dataset.map(example, tf.data.AUTOTUNE)
    return _finish(dataset.batch(batch_size, drop_remainder=True))


def _masked(view):
    """What stands for an image that cannot be read: a grey one, weight 0."""
    grey = tf.fill((1, 1, 3), tf.constant(128, tf.uint8))
    return {
        "image": view(grey),
        "label": tf.constant(0),
        "weight": tf.constant(0.0),
    }


def read_example(split, index):
    """(image, label) of an example, decoded: uint8 (H, W, 3), int32 scalar."""
    image, label = split.read(index)
    if image.dtype == tf.string:
        image = decoding.decode(image)
    return image, label


def _finish(dataset):
    options = tf.data.Options()
    options.deterministic = True
    # Images are made side by side; to split one's work as well only costs.
    options.threading.max_intra_op_parallelism = 1
    # Replicas take slices of one global batch.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)
