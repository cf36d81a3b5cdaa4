"""A training run on Keras' JAX backend: the loop's semantics, no TensorFlow.

The environment must say KERAS_BACKEND=jax. Batches, reports, evaluations,
schedules and metrics.jsonl are those of `keras_resnet.training.loop`.
"""

import json

from reproduction import jax_batches
from reproduction import jax_speed
from reproduction import training
from reproduction.jax_run import Run

from keras_resnet import files
from keras_resnet import recipes
from keras_resnet.data.stores import arrays
from keras_resnet.errors import require
from keras_resnet.recipes import engines
from keras_resnet.training.signals import Signals

SPEED = "speed.json"

_DTYPES = ("float32", "mixed_bfloat16")


def train(job, *, matrix_side=0, say=print):
    """Trains the network of a job, going on from the workdir's checkpoint.

    Writes metrics.jsonl, speed.json and checkpoint.npz into the workdir, and
    at the end model.keras with labels.txt and card.json.

    Args:
        job: `jobs.Job`; its `data_dir` is the folder of the data set's files,
            see `stores.arrays`.
        matrix_side: of the matrices whose products' rate the speed is compared
            with; 0 for none.
        say: what takes a line on the progress.

    Returns:
        dict: that of `training.summary`, and "speed", see `jax_speed.figures`.

    Raises:
        keras_resnet.UsageError: if a setting, the data or the workdir cannot
            work.
        keras_resnet.errors.DivergedError: if a loss or a weight is not finite.
        Interrupted: after a signal, once a checkpoint is written.
    """
    check(job.recipe)
    for line in recipes.past_the_end(job.recipe):
        say(f"WARNING: {line}")
    with Signals() as signals, training.timed(job.workdir):
        splits = {
            name: arrays.load(job.recipe.dataset, name, job.data_dir)
            for name in ("train", "validation")
        }
        splits["train"] = arrays.evenly_spaced(
            splits["train"], job.recipe.train_examples
        )
        job.workdir.mkdir(parents=True, exist_ok=True)
        run = Run(job.recipe, job.workdir, splits, say)
        signals.wait()
        run.finish(signals)
    speed = jax_speed.figures(run.network.model, run.pace, matrix_side)
    speed["compile_seconds"] = run.network.compile_seconds
    files.write_text(job.workdir / SPEED, json.dumps(speed) + "\n")
    return {**training.summary(job.workdir), "speed": speed}


def check(recipe):
    """Refuses what this loop does not do.

    Raises:
        keras_resnet.UsageError: if the recipe asks for it.
    """
    engines.check(recipe, "jax")
    require(
        recipe.dtype in _DTYPES,
        f"dtype must be {' or '.join(_DTYPES)} on JAX. Received: "
        f"{recipe.dtype!r}.",
    )
    require(
        recipe.eval_resize == recipe.image_size,
        "eval_resize must be image_size on JAX: images are not cropped. "
        f"Received: {recipe.eval_resize}, {recipe.image_size}.",
    )
    jax_batches.amounts(recipe)
