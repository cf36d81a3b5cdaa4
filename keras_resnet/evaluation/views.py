"""Errors by several views of an image and by several networks.

The probabilities of all views of all networks are averaged, not their logits,
as the README of P1's released models says of its ten crops. Shapes: B images,
V views, H height, W width, K classes.
"""

import dataclasses

import keras
import tensorflow as tf

from keras_resnet import progress
from keras_resnet.data import bad_images
from keras_resnet.data import pipeline
from keras_resnet.data.examples import shares
from keras_resnet.data.examples import splits
from keras_resnet.data.examples import stored_sides
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels.crops import VIEWS
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.evaluation import metrics
from keras_resnet.evaluation import multi_label
from keras_resnet.labels import answers
from keras_resnet.labels.view import View
from keras_resnet.networks import execution
from keras_resnet.networks import outputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """A network of an ensemble and the pixels it wants to see."""

    model: keras.Model  # from `keras_resnet.build`
    view: View


def any_size(network):
    """The same network, sharing its weights, for images of any size.

    It is fully convolutional (P1 sec. 3.4, after Simonyan 2015 sec. 3.2):
    pooling is over all positions of the last feature map, and the classifier
    is linear, so a logit is the mean of the logits that the classifier gives
    at each position. A 7x7 window that slides over the map instead would
    count inner positions more often.

    Args:
        network: `keras.Model` of images (B, H, W, C).

    Returns:
        `keras.Model` of images (B, any, any, C).

    Raises:
        keras_resnet.UsageError: if it subtracts a mean image.
    """
    sizes = [getattr(layer, "mean_size", None) for layer in network.layers]
    require(
        not any(sizes),
        f"{network.name!r} subtracts a mean image, so it takes images of its "
        "size alone, not whole ones: evaluate it by the views center or "
        "ten_crop.",
    )
    image = keras.Input((None, None, network.input_shape[-1]), name="image")
    return keras.models.clone_model(
        network, input_tensors=image, clone_function=lambda layer: layer
    )


def log_mean(logs, axis):
    """The logarithm of a mean of exponentials, without underflow."""
    count = tf.cast(tf.shape(logs)[axis], logs.dtype)
    return tf.reduce_logsumexp(logs, axis) - tf.math.log(count)


def log_probabilities(network, views, several=False):
    """The mean over all views of an image; the views may differ in size.

    Args:
        network: images (B, H, W, 3) -> logits (B, K).
        views: tuple of uint8 (B, V, H, W, 3), from `data.views`.
        several: whether the labels do not exclude each other.

    Returns:
        float64 (B, K): logarithms of the mean probabilities; for independent
        labels (B, K, 2), those of a yes and of a no. In float64
        because a difference of two logits may be less than the rounding of
        their probabilities in float32, and top-1 depends on it.
    """
    logs = []
    for images in views:
        shape = tf.shape(images)
        flat = tf.reshape(images, tf.concat([[-1], shape[2:]], axis=0))
        flat = tf.ensure_shape(flat, (None, *images.shape[2:]))
        logits = tf.cast(network(flat, training=False), tf.float64)
        values = _logs(logits, several)
        by_view = tf.concat([shape[:2], tf.shape(values)[1:]], axis=0)
        logs.append(tf.reshape(values, by_view))
    return log_mean(tf.concat(logs, axis=1), axis=1)


def _logs(logits, several):
    if not several:
        return tf.nn.log_softmax(logits)
    yes, no = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
    return tf.stack([yes, no], axis=-1)


def _logits(logs, several):
    """Logits of what `log_probabilities` gives."""
    return logs[..., 0] - logs[..., 1] if several else logs


def evaluate(members, strategy, split, *, views, batch_size, masked=None):
    """Metrics of each network and of their ensemble, in one pass.

    Args:
        members: list of `Member`, all with the same classes and with the
            split's kind of labels.
        strategy: in whose scope the models were made.
        split: `datasets.Split`; every example counts once.
        views: key of `VIEWS`.
        batch_size: about how many views at once, over all devices: at least
            one image's on each. Each device takes whole images one at a time.
        masked: `bad_images.MaskedImages`, or None to fail.

    Returns:
        list of `Metrics`, or `MultiLabelMetrics`: of each member, then of the
        mean of their probabilities.

    Raises:
        keras_resnet.UsageError: if `VIEWS` has no such key, scales are missing
            or an image cannot be read.
    """
    execution.require_tensorflow("An evaluation")
    row = lookup(VIEWS, views, "view")
    several = split.multi_label
    for member in members:
        row.check(member.view)
        answers.check_kind(outputs.is_multi_label(member.model), split)
    # Networks of the same view see the same pixels, made once.
    seen = list(dict.fromkeys(member.view for member in members))
    dataset, examples = _dataset(strategy, split, row, seen, batch_size, masked)
    networks = [_network(member, row) for member in members]
    places = [seen.index(member.view) for member in members]

    def replica_step(batch):
        logs = [
            log_probabilities(network, batch["image"][place], several)
            for network, place in zip(networks, places, strict=True)
        ]
        logs.append(log_mean(tf.stack(logs), axis=0))
        logs = [_logits(log, several) for log in logs]
        label, weight = batch["label"], batch["weight"]
        sums = [metrics.batch_sums(log, label, weight) for log in logs]
        if not several:
            return tf.stack(sums)
        # Devices do not exchange uint8.
        label = tf.cast(label, tf.int32)
        return tf.stack(sums), (tf.stack(logs, axis=1), label, weight)

    # The signature avoids a new trace for each size of a whole image.
    step = metrics.sum_over_replicas(
        strategy, replica_step, signature=dataset.element_spec
    )
    batches = bad_images.naming_bad(split, dataset, examples)
    steps = -(-split.num_examples // examples)
    with progress.counted(batches, steps) as counted:
        sums, rows = metrics.total(step, counted)
    if masked is not None:
        masked.check()
    if not several:
        return [metrics.Metrics.from_sums(row) for row in sums]
    logits, *rows = rows
    return [
        multi_label.measure(row, logits[:, place], *rows)
        for place, row in enumerate(sums)
    ]


def _network(member, row):
    """The network up to the logits, for images of the views' sizes."""
    network = outputs.logits(member.model)
    batch, height, width, _ = network.input_shape
    if row.number and batch is None and height == width == member.view.crop:
        return network
    return any_size(network)


def _dataset(strategy, split, row, seen, batch_size, masked):
    """Batches, one for each device, so that their images may differ in size.

    Returns:
        (distributed dataset, examples of all devices in one element).
    """
    replicas = strategy.num_replicas_in_sync
    images = row.images_at_once(batch_size // replicas) * replicas
    choices = {view.exif for view in seen}
    require(
        split.upright is None or len(choices) == 1,
        f"{split.name} has images of Pillow, which all networks see turned or "
        f"none does. Received: exif={', '.join(sorted(choices))}.",
    )
    for view in seen:
        side = max(view.scales or (0,)) if row.number is None else view.resize
        stored_sides.check(split, **{"the side of a view": side})
    split = splits.as_seen(split, seen[0].exif)

    def pixels(image):
        decoded = {
            exif: decoding.pixels(image, exif)
            for exif in dict.fromkeys(view.exif for view in seen)
        }
        return tuple(row.pixels(decoded[view.exif], view) for view in seen)

    def make(context):
        return pipeline.every_example(
            split,
            pixels,
            batch_size=images,
            masked=masked,
            context=context,
        )

    steps = -(-split.num_examples // images)
    return shares.distribute(strategy, make, steps), images
