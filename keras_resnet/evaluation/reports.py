"""The `Report` of a network on a split, by all devices of a strategy."""

import io
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import progress
from keras_resnet.data import bad_images
from keras_resnet.data import pipeline
from keras_resnet.data.examples import shares
from keras_resnet.data.pixels import transforms
from keras_resnet.evaluation import figures
from keras_resnet.evaluation import members
from keras_resnet.evaluation import metrics
from keras_resnet.evaluation import multi_label_report
from keras_resnet.evaluation import report
from keras_resnet.inference import opening
from keras_resnet.labels import answers
from keras_resnet.labels.view import View
from keras_resnet.networks import execution
from keras_resnet.networks import outputs


def evaluate(
    model: keras.Model | str | os.PathLike,
    data: Any = None,
    *,
    split: str = "validation",
    view: View | None = None,
    class_names: Sequence[str] | None = None,
    batch_size: int = 100,
    strategy=None,
    data_dir: str | None = None,
    on_bad_image: str = "fail",
) -> figures.Figures:
    """What a network gets right on a data set, class by class.

    Args:
        model: a `keras.Model`, the folder of a run or a .keras file.
        data: a folder of class folders, or any data set that `datasets.load`
            takes. Default: what the model was trained on. If the model was
            trained on this folder, the part held out then is held out again.
            Or arrays (images, labels), a source or a `Split`, used whole.
        split: "validation", "train" or another of the data set's.
        view: `View` of an image that the network sees. Default: the view of
            the card beside or on the model; without a card, see
            `opening.open_keras`.
        class_names: for a model in memory that has no card, in the order of
            its outputs.
        batch_size: images at once, over all devices.
        strategy: from `distribution.make_strategy`; a model in memory must be
            made in its scope. Default: one device.
        data_dir: where TensorFlow Datasets keeps its data.
        on_bad_image: "fail", or "mask:N" to go on without up to N images.

    Returns:
        `report.Report`, or for independent labels
        `multi_label_report.MultiLabelReport`.

    Raises:
        keras_resnet.UsageError: if the model or the data cannot be read, their
            classes differ, or what the model sees is not known.

    Example:

    >>> evaluate("runs/photos", "photos").save("report.html")
    """
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model, card = opening.open_keras(
            model, view=view, class_names=class_names
        )
    found, masked = members.open_split(
        card, data, split, data_dir=data_dir, on_bad_image=on_bad_image
    )
    return make(
        model,
        View.of(card),
        found,
        batch_size=batch_size,
        strategy=strategy,
        masked=masked,
    )


def make(model, view, split, *, batch_size=100, strategy=None, masked=None):
    """Evaluates a network on every example once.

    Args:
        model: `keras.Model` of images (B, S, S, 3) that ends in
            probabilities of the split's classes; in sigmoids if an example of
            the split has any number of labels.
        view: `labels.view.View`, what it sees of an image.
        split: `datasets.Split`.
        batch_size: images at once, over all devices.
        strategy: in whose scope the model was made. Default: one device.
        masked: `bad_images.MaskedImages`, or None to fail.

    Returns:
        `report.Report`, or for independent labels
        `multi_label_report.MultiLabelReport`.

    Raises:
        keras_resnet.UsageError: if an image cannot be read, or the network's
            kind of labels is not the split's.
    """
    execution.require_tensorflow("An evaluation")
    several = outputs.is_multi_label(model)
    answers.check_kind(several, split)
    strategy = strategy or tf.distribute.get_strategy()
    network = outputs.logits(model)

    def replica_step(batch):
        logits = tf.cast(network(batch["image"], training=False), tf.float32)
        label, weight = batch["label"], batch["weight"]
        sums = metrics.batch_sums(logits, label, weight)
        scores = logits if several else tf.nn.softmax(logits)
        return sums, scores, label, weight

    @tf.function(autograph=False)
    def step(batch):
        return strategy.run(replica_step, args=(batch,))

    def share(context):
        return pipeline.eval_dataset(
            split,
            batch_size=batch_size,
            view=view,
            masked=masked,
            context=context,
        )

    steps = -(-split.num_examples // batch_size)
    batches = shares.distribute(strategy, share, steps)
    tally, sums = _tally(split), 0
    batches = bad_images.naming_bad(split, batches, batch_size)
    with progress.counted(batches, steps) as counted:
        for batch in counted:
            # Replicas take equal runs of a batch, in order.
            parts = zip(*map(strategy.experimental_local_results, step(batch)))
            for part, *rows in parts:
                sums = sums + np.asarray(part, np.float64)
                tally.add(*map(np.asarray, rows))
    if masked is not None:
        masked.check()
    return tally.report(
        split,
        sums,
        lambda index: _png(split, view, index),
    )


def _tally(split):
    if split.multi_label:
        return multi_label_report.Tally()
    return report.Tally(len(split.class_names))


def _png(split, view, index):
    """The view of an example as the bytes of a PNG."""
    from PIL import Image

    place = tf.constant(index, tf.int64)
    image, _ = pipeline.read_example(split, place, view.exif)
    pixels = transforms.evaluation(image, view).numpy()
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "png")
    return target.getvalue()
