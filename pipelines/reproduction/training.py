"""One run of a job: resumed where it was cut off, its end a result.

TensorFlow is imported where a run begins: runs on JAX have summaries too.
"""

import contextlib
import json
import time

METRICS, MODEL = "metrics.jsonl", "model.keras"  # `workdir`'s

# Of a curve, by their names in metrics.jsonl.
_ERRORS = {
    "train_error": "train_top1_accuracy",
    "test_error": "top1_accuracy",
}
SECONDS = "seconds.json"


def train(job):
    """Trains the network of a job in its workdir.

    Args:
        job: `jobs.Job`.

    Returns:
        dict from `summary`.

    Raises:
        keras_resnet.errors.DivergedError: if it diverges.
        keras_resnet.training.signals.Interrupted: after a signal, once a
            checkpoint is written; the same call goes on.
    """
    from keras_resnet.training import distribution
    from keras_resnet.training import run

    strategy = distribution.make_strategy("one_device")
    with timed(job.workdir):
        run.train_and_evaluate(
            job.recipe, job.workdir, strategy=strategy, data_dir=job.data_dir
        )
    return summary(job.workdir)


def summary(workdir):
    """The curve of a run, and where it ends.

    Args:
        workdir: pathlib.Path of the run.

    Returns:
        dict: "train_error" and "test_error", 0 to 1, of the last evaluation;
        the training error is that of all iterations since the one before, on
        augmented images while the weights change (P1 Fig. 6's thin lines).
        "curve": {"step", "train_error", "test_error", "learning_rate"}, lists.
    """
    path = workdir / METRICS
    lines = path.read_text().splitlines() if path.exists() else []
    points = [json.loads(line) for line in lines]
    curve = {name: [point[name] for point in points] for name in _AS_THEY_ARE}
    for name, accuracy in _ERRORS.items():
        curve[name] = [round(1 - point[accuracy], 6) for point in points]
    ends = {name: curve[name][-1] for name in _ERRORS if points}
    return {**ends, "curve": curve}


_AS_THEY_ARE = ("step", "learning_rate")


@contextlib.contextmanager
def timed(workdir):
    """Adds the seconds spent within to those of earlier sessions."""
    start = time.perf_counter()
    try:
        yield
    finally:
        if workdir.is_dir():
            spent = seconds(workdir) + time.perf_counter() - start
            (workdir / SECONDS).write_text(json.dumps(round(spent, 1)))


def seconds(workdir):
    """Seconds of all sessions of a run; those that were killed are missing."""
    path = workdir / SECONDS
    return json.loads(path.read_text()) if path.exists() else 0.0


def images(job, split, number, *, with_labels=False):
    """The first examples of a split, as evaluation sees them.

    Args:
        job: `jobs.Job`.
        split: "train" or "validation".
        number: of examples; fewer where there are not so many.
        with_labels: whether the labels come too.

    Returns:
        uint8 (N, S, S, 3), or a pair with int32 (N,).
    """
    from keras_resnet.data import datasets
    from keras_resnet.data import pipeline
    from keras_resnet.labels.view import View

    recipe = job.recipe
    found = datasets.load(recipe.dataset, split, data_dir=job.data_dir)
    batches = pipeline.eval_dataset(
        found, View.of(recipe), batch_size=min(number, found.num_examples)
    )
    batch = next(iter(batches))
    pixels, labels = batch["image"].numpy(), batch["label"].numpy()
    return (pixels, labels) if with_labels else pixels


def class_names(job):
    """Of the data set of a job."""
    from keras_resnet.data import datasets

    recipe = job.recipe
    split = datasets.load(recipe.dataset, "train", data_dir=job.data_dir)
    return split.class_names
