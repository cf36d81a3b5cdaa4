"""Trains a network by a recipe, or on a folder or CSV file of pictures.

    keras-resnet train photos
    keras-resnet train --recipe=digits --strategy=mirrored
    keras-resnet launch --workers=2 -- \\
        keras-resnet train --recipe=digits --strategy=multi_worker

Of a folder of class folders, a CSV file (path,label[,split]) or a data set, the
recipe follows from the number and the size of its images; a fifth of each class
is held out where nothing is for validation. Every field of a recipe is a flag
that overrides it. The same command goes on from the last checkpoint, and ends
as if it had never been stopped.

Exit status: 0 done; 2 something to correct, which the last line says; 130
after SIGINT (Ctrl-C) and 75 after SIGTERM, both with a checkpoint written: run
it again; 76 where another worker was lost: run all of them again. Of several
workers only the chief, number 0, prints.
"""

import json
import os
import pathlib
import sys
import time

from absl import flags

from keras_resnet import recipes
from keras_resnet.commands import recipe_flags
from keras_resnet.errors import printable_lines
from keras_resnet.errors import require

FLAGS = flags.FLAGS

# Exit status: another worker, or the chief, is gone.
LOST = 76

flags.DEFINE_string("recipe", "digits", "Name of a recipe.")
flags.DEFINE_string(
    "workdir",
    None,
    "Directory of this run. Default: runs/RECIPE, or runs/ and the name of "
    "the folder.",
)
flags.DEFINE_float(
    "epochs", None, "With a folder: how often each image is seen."
)
flags.DEFINE_float(
    "validation",
    None,
    "With a folder: part of each class that is held out, between 0 and 1. "
    "Default: 0.2, where no folder is for validation.",
)
flags.DEFINE_string(
    "strategy", "one_device", "one_device, mirrored or multi_worker."
)
flags.DEFINE_integer(
    "devices",
    None,
    "Devices to use, of each worker; without GPUs, logical CPU devices.",
    lower_bound=1,
)
flags.DEFINE_string(
    "communication", "auto", "Between workers: auto, ring (gRPC) or nccl."
)
flags.DEFINE_float(
    "start_timeout",
    300,
    "Seconds that a worker waits for the others.",
    lower_bound=0,
)
flags.DEFINE_bool(
    "deterministic",
    False,
    "Only operations that give the same bits each time: slower, and on a CPU "
    "two workers then equal two devices of one machine.",
)
flags.DEFINE_string(
    "resume",
    "auto",
    "auto: go on from the last checkpoint of the workdir, if there is one; "
    "must: fail if there is none; never: fail if there is one.",
)
flags.DEFINE_string("data_dir", None, "Where TensorFlow Datasets keeps data.")


def main(args):
    from keras_resnet.networks import execution

    execution.require_tensorflow("Training")
    if not args:
        recipe, workdir = _plan(args)
    from keras_resnet.training import distribution
    from keras_resnet.training import rendezvous
    from keras_resnet.training import signals
    from keras_resnet.training import workers

    try:
        strategy = _make_strategy()
        if args:
            # It reads images, and no device may be in use before.
            recipe, workdir = _plan(args)
        say = _say if distribution.is_chief(strategy) else _say_nothing
        _announce(recipe, workdir, distribution.describe(strategy), say)
        if args:
            say(_chosen(recipe))
        _train(recipe, workdir, strategy, say)
    except rendezvous.Missing as missing:
        return _lost(str(missing))
    except workers.WorkerLost as lost:
        return _lost(
            f"{lost} Start all workers again: they go on from "
            f"{_newest(workdir) or 'the beginning'} in {workdir}."
        )
    except signals.Interrupted as stop:
        say(_stopped(stop, recipe, workdir))
        return stop.status
    return 0


def _plan(words):
    """The recipe and the workdir that a command line asks for."""
    overrides = recipe_flags.overrides()
    if not words:
        require(
            FLAGS.epochs is None and FLAGS.validation is None,
            "--epochs and --validation go with a folder, as in: keras-resnet "
            "train photos --epochs=10. A recipe counts iterations: --steps.",
        )
        recipe = recipes.load(FLAGS.recipe, overrides)
        return recipe, FLAGS.workdir or f"runs/{FLAGS.recipe}"
    from keras_resnet.training import train

    require(
        len(words) == 1 and not FLAGS["recipe"].present,
        "Name one folder of pictures, or a --recipe. Received: "
        f"{' '.join(words)!r}"
        + (f", --recipe={FLAGS.recipe}." if FLAGS["recipe"].present else "."),
    )
    dataset = train.name_of(words[0], FLAGS.validation)
    recipe = train.choose(
        dataset,
        weights=overrides.pop("weights", ""),
        epochs=FLAGS.epochs,
        steps=overrides.pop("steps", None),
        data_dir=FLAGS.data_dir,
        fields=overrides,
    )
    return recipe, FLAGS.workdir or train.default_workdir(dataset)


def _chosen(recipe):
    """What was chosen for a folder, and how its images are divided."""
    from keras_resnet.data import datasets
    from keras_resnet.data.pixels import augmentations

    train, validation = (
        datasets.load(recipe.dataset, name, data_dir=FLAGS.data_dir)
        for name in ("train", "validation")
    )
    fields = {k: v for k, v in recipe.changed.items() if k != "dataset"}
    return (
        f"{train.num_examples:,} images of {len(train.class_names)} classes "
        f"to train on, {validation.num_examples:,} for validation. Chosen: "
        f"{', '.join(f'{k}={v}' for k, v in fields.items())}"
    ) + (
        "\nHalf of the images are mirrored. Where that makes them another "
        "class, as with text: --augmentation=pad_crop"
        if augmentations.augmentation(recipe.augmentation).flips
        else ""
    )


def _say(text):
    print(printable_lines(text), flush=True)


def _say_nothing(text):
    """Of several workers only the chief prints."""
    del text


def _make_strategy():
    import tensorflow as tf

    from keras_resnet.training import distribution

    if FLAGS.deterministic:
        tf.config.experimental.enable_op_determinism()
    return distribution.make_strategy(
        FLAGS.strategy,
        FLAGS.devices,
        communication=FLAGS.communication,
        start_timeout=FLAGS.start_timeout,
    )


def _announce(recipe, workdir, devices, say):
    say(
        f"Training {recipe.variant} on {recipe.dataset} at "
        f"{recipe.image_size}x{recipe.image_size} pixels "
        f"({FLAGS.strategy}, {devices}) in {workdir}"
    )
    if not recipe.weights:
        return
    frozen = ""
    if recipe.freeze_until:
        frozen += f", frozen up to {recipe.freeze_until}"
    if recipe.freeze_batch_norm:
        frozen += ", BN frozen"
    say(f"Starting from {recipe.weights}{frozen}")


def _train(recipe, workdir, strategy, say):
    from keras_resnet.training import workdir as workdir_lib
    from keras_resnet.training.run import train_and_evaluate

    start = time.perf_counter()
    metrics = train_and_evaluate(
        recipe,
        workdir,
        strategy=strategy,
        data_dir=FLAGS.data_dir,
        resume=FLAGS.resume,
    )
    seconds = time.perf_counter() - start
    say(
        f"Validation: {_accuracies(metrics, workdir)} of "
        f"{metrics.num_examples} images, after {_last_step(workdir)} steps; "
        f"{seconds:.0f} s in this session.\n"
        f"Model: {workdir}/model.keras  Curves: {workdir}/curves.png"
    )
    if recipe.keep == "best":
        say(
            "The validation images have chosen the model: of others expect a "
            f"little less. The last one: {workdir}/{workdir_lib.LAST}"
        )
    masked = pathlib.Path(workdir) / workdir_lib.MASKED
    if masked.exists():
        say(f"Images that could not be read: {masked}")


def _last_step(workdir):
    from keras_resnet.training import workdir as workdir_lib

    path = pathlib.Path(workdir, workdir_lib.METRICS)
    return json.loads(path.read_text().splitlines()[-1])["step"]


def _accuracies(metrics, workdir):
    from keras_resnet.evaluation.metrics import Metrics
    from keras_resnet.evaluation.metrics import has_top5
    from keras_resnet.labels import cards

    if not isinstance(metrics, Metrics):
        return str(metrics)
    words = f"top-1 accuracy {metrics.top1_accuracy:.2%}"
    if has_top5(len(cards.load_card(workdir).class_names)):
        words += f", top-5 {metrics.top5_accuracy:.2%}"
    return words


def _stopped(stop, recipe, workdir):
    if not stop.step:
        return (
            f"{stop.signal}: stopped before an iteration was done. The same "
            "command goes on."
        )
    return (
        f"{stop.signal}: stopped at step {stop.step} of {recipe.steps}; a "
        f"checkpoint is in {workdir}. The same command goes on from there."
    )


def _newest(workdir):
    from keras_resnet.training.checkpoints import folder
    from keras_resnet.training.workdir import CHECKPOINTS

    found = folder.found(pathlib.Path(workdir, CHECKPOINTS))
    return found[-1].name if found else None


def _lost(message):
    print(f"ERROR: {message}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    # TensorFlow would wait for the lost worker before the process ends.
    os._exit(LOST)


recipe_flags.define()
