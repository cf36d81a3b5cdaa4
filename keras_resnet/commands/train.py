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

import os
import sys
import time

from absl import flags

from keras_resnet import recipes
from keras_resnet.commands import recipe_flags
from keras_resnet.commands import train_words
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
    "warmup_epochs", None, "With a folder: --warmup_steps in epochs."
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


def check(words):
    """Says what is wrong with the words before TensorFlow starts."""
    recipe = FLAGS["recipe"]
    require(
        words
        or all(
            FLAGS[name].value is None
            for name in ("epochs", "warmup_epochs", "validation")
        ),
        "--epochs, --warmup_epochs and --validation go with a folder, as "
        "in: keras-resnet train photos --epochs=10. A recipe counts "
        "iterations: --steps, --warmup_steps.",
    )
    require(
        len(words) + bool(recipe.present) <= 1,
        "Name one folder of pictures, or a --recipe. Received: "
        f"{' '.join(words)!r}"
        + (f", --recipe={recipe.value}." if recipe.present else "."),
    )
    from keras_resnet.data import catalog

    # Other sources of examples, also an --import's, are known later.
    if words and ":" not in words[0] and not FLAGS["import"].value:
        catalog.name_of(words[0])


def main(args):
    from keras_resnet.networks import execution

    execution.require_tensorflow("Training")
    if not args:
        recipe, workdir, splits = _plan(args)
    from keras_resnet.training import distribution
    from keras_resnet.training import rendezvous
    from keras_resnet.training import signals
    from keras_resnet.training import workers

    try:
        strategy = _make_strategy()
        if args:
            # It reads images: no device may be in use before the strategy.
            recipe, workdir, splits = _plan(args)
        say = _say if distribution.is_chief(strategy) else _say_nothing
        devices = f"{FLAGS.strategy}, {distribution.describe(strategy)}"
        say(train_words.beginning(recipe, workdir, devices))
        if args:
            say(train_words.chosen(recipe, splits))
        _train(recipe, workdir, strategy, splits, say)
    except rendezvous.Missing as missing:
        return _lost(str(missing))
    except workers.WorkerLost as lost:
        return _lost(
            f"{lost} Start all workers again: they go on from "
            f"{train_words.newest(workdir) or 'the beginning'} in {workdir}."
        )
    except signals.Interrupted as stop:
        say(train_words.stopped(stop, recipe, workdir))
        return stop.status
    return 0


def _plan(words):
    """(recipe, workdir, splits or None) that a command line asks for."""
    overrides = recipe_flags.overrides()
    if not words:
        recipe = recipes.load(FLAGS.recipe, overrides)
        return recipe, FLAGS.workdir or f"runs/{FLAGS.recipe}", None
    return _plan_of_folder(words[0], overrides)


def _plan_of_folder(word, overrides):
    from keras_resnet.data import datasets
    from keras_resnet.training import choices

    dataset = choices.name_of(word, FLAGS.validation)
    splits = {
        key: datasets.load(dataset, key, data_dir=FLAGS.data_dir)
        for key in ("train", "validation")
    }
    recipe = choices.choose(
        dataset,
        weights=overrides.pop("weights", ""),
        epochs=FLAGS.epochs,
        warmup_epochs=FLAGS.warmup_epochs,
        steps=overrides.pop("steps", None),
        fields=overrides,
        split=splits["train"],
    )
    workdir = FLAGS.workdir or choices.default_workdir(dataset)
    return recipe, workdir, splits


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


def _train(recipe, workdir, strategy, splits, say):
    from keras_resnet.training.run import train_and_evaluate

    if recipe.train_examples or recipe.holdout_examples:
        splits = None  # the run chooses its examples itself
    start = time.perf_counter()
    metrics = train_and_evaluate(
        recipe,
        workdir,
        strategy=strategy,
        data_dir=FLAGS.data_dir,
        resume=FLAGS.resume,
        splits=splits,
    )
    seconds = time.perf_counter() - start
    say(train_words.result(recipe, workdir, metrics, seconds))


def _lost(message):
    print(f"ERROR: {message}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    # TensorFlow would wait for the lost worker before the process ends.
    os._exit(LOST)


recipe_flags.define()
