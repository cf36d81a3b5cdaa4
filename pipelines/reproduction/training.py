"""One run of a job: it resumes where it was cut off and ends in a result.

TensorFlow is imported inside functions: runs on JAX use this module, too.
"""

import contextlib
import json
import time

from keras_resnet import files

METRICS, MODEL = "metrics.jsonl", "model.keras"  # `workdir`'s
SECONDS = "seconds.json"


def train(job, splits=None):
    """Trains the network of a job in its workdir; returns its `summary`.

    Args:
        job: `jobs.Job`.
        splits: as `train_and_evaluate` takes them. Default: the data set's.

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
            job.recipe,
            job.workdir,
            strategy=strategy,
            data_dir=job.data_dir,
            splits=splits,
        )
    return summary(job.workdir)


def summary(workdir):
    """The curve of a run, and where it ends.

    Args:
        workdir: pathlib.Path of the run.

    Returns:
        dict: "train_error" and "test_error", 0 to 1, of the last evaluation.
        The training error is over all iterations since the evaluation before,
        on augmented images while the weights change (P1 Fig. 6's thin lines).
        "curve": {"step", "train_error", "test_error", "learning_rate"}, lists.
    """
    path = workdir / METRICS
    lines = path.read_text().splitlines() if path.exists() else []
    points = [json.loads(line) for line in lines]
    errors = {
        name: [round(1 - point[accuracy], 6) for point in points]
        for name, accuracy in (
            ("train_error", "train_top1_accuracy"),
            ("test_error", "top1_accuracy"),
        )
    }
    ends = {name: values[-1] for name, values in errors.items() if points}
    told = ("step", "learning_rate")
    curve = {name: [point[name] for point in points] for name in told}
    return {**ends, "curve": {**curve, **errors}}


@contextlib.contextmanager
def timed(workdir):
    """Adds the seconds spent within to those of earlier sessions."""
    start = time.perf_counter()
    try:
        yield
    except files.BusyError:
        start = None  # another process counts its own
        raise
    finally:
        if start is not None and workdir.is_dir():
            spent = seconds(workdir) + time.perf_counter() - start
            (workdir / SECONDS).write_text(json.dumps(round(spent, 1)))


def seconds(workdir):
    """Seconds of all sessions of a run; those that were killed are missing."""
    path = workdir / SECONDS
    return json.loads(path.read_text()) if path.exists() else 0.0


def examples(job, split, number):
    """The first examples of a split, as evaluation sees them.

    Args:
        job: `jobs.Job`.
        split: "train" or "validation".
        number: of examples; fewer if the split has fewer.

    Returns:
        uint8 (N, S, S, 3), int32 (N,) and the names of the classes.
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
    return batch["image"].numpy(), batch["label"].numpy(), found.class_names


def divided(job):
    """The data of a job, with a part of its training images held out.

    Returns:
        {"train", "validation"} as `train` takes them, and the `Split` that is
        held out: the same for all rates, seeds and networks.
    """
    from keras_resnet.training.engines import on_tensorflow

    engine = on_tensorflow.TensorFlowEngine()
    splits = engine.load_splits(job.recipe, job.data_dir)
    train, held = splits["train"].hold_out(job.held_out, seed=0)
    return {**splits, "train": train}, held


def error(job, split):
    """The error of a job's trained network on a `Split`, 0 to 1."""
    import keras

    from keras_resnet.data import pipeline
    from keras_resnet.labels.view import View

    model = keras.models.load_model(job.workdir / MODEL)
    batches = pipeline.eval_dataset(
        split, View.of(job.recipe), batch_size=split.num_examples
    )
    batch = next(iter(batches))
    said = model.predict(batch["image"], verbose=0).argmax(-1)
    return round(float((said != batch["label"].numpy()).mean()), 6)
