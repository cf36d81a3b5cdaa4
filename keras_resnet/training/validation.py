"""The validation split, on all devices of a strategy."""

import itertools

from keras_resnet.data import bad_images
from keras_resnet.data import pipeline
from keras_resnet.data.examples import shares
from keras_resnet.evaluation import metrics as metrics_lib


def distribute(strategy, split, view, *, batch_size, masked=None):
    """The batches of a split, which `validate` reads any number of times.

    Args:
        strategy: `tf.distribute.Strategy`.
        split: `datasets.Split`.
        view: `labels.view.View`.
        batch_size: the global batch; a multiple of the devices.
        masked: `bad_images.MaskedImages`, or None to fail.

    Returns:
        Iterable over distributed batches.
    """

    def make(context):
        return pipeline.eval_dataset(
            split,
            view,
            batch_size=batch_size,
            masked=masked,
            context=context,
        )

    steps = -(-split.num_examples // batch_size)
    return shares.distribute(strategy, make, steps)


def validate(
    eval_step,
    batches,
    split,
    *,
    batch_size,
    masked=None,
    stop=lambda: False,
):
    """`Metrics` of a split, on all devices of a strategy.

    Args:
        eval_step: from `step.make_eval_step`.
        batches: from `distribute`, of the same strategy.
        split, batch_size, masked: as for `distribute`.
        stop: called before each batch; True ends the evaluation, which then
            returns None.
    """
    batches = bad_images.naming_bad(split, batches, batch_size)
    metrics = metrics_lib.evaluate(
        eval_step, itertools.takewhile(lambda _: not stop(), batches)
    )
    if stop():
        return None
    if masked is not None:
        masked.check()
    return metrics
