"""Trains a network by a recipe.

    python pipelines/train.py --recipe=digits --strategy=mirrored

Every field of the recipe is a flag that overrides it. The same command goes on
from the last checkpoint, and ends as if it had never been stopped.

Exit status: 0 done; 2 something to correct, which the last line says; 130
after SIGINT (Ctrl-C) and 75 after SIGTERM, both with a checkpoint written: run
it again.
"""

import pathlib
import time

import _app
import _recipe_flags
from absl import flags

from keras_resnet import recipes

FLAGS = flags.FLAGS

flags.DEFINE_string("recipe", "digits", "Name of a recipe.")
flags.DEFINE_string(
    "workdir", None, "Directory of this run. Default: runs/RECIPE."
)
flags.DEFINE_string("strategy", "one_device", "one_device or mirrored.")
flags.DEFINE_integer(
    "devices", None, "Devices to use; without GPUs, logical CPU devices."
)
flags.DEFINE_string(
    "resume",
    "auto",
    "auto: go on from the last checkpoint of the workdir, if there is one; "
    "must: fail if there is none; never: fail if there is one.",
)
flags.DEFINE_string("data_dir", None, "Where TensorFlow Datasets keeps data.")


def main(args):
    _app.no_arguments(args)
    recipe = recipes.load(FLAGS.recipe, _recipe_flags.overrides())
    workdir = FLAGS.workdir or f"runs/{FLAGS.recipe}"
    from keras_resnet.training import distribution
    from keras_resnet.training import loop
    from keras_resnet.training import workdir as workdir_lib

    strategy = distribution.make_strategy(FLAGS.strategy, FLAGS.devices)
    print(
        f"Training {recipe.variant} on {recipe.dataset} "
        f"({FLAGS.strategy}, {distribution.describe(strategy)}) in {workdir}",
        flush=True,
    )
    if recipe.weights:
        print(
            f"Starting from {recipe.weights}, frozen up to "
            f"{recipe.freeze_until or 'nothing'}",
            flush=True,
        )
    start = time.perf_counter()
    try:
        metrics = loop.train_and_evaluate(
            recipe,
            workdir,
            strategy=strategy,
            data_dir=FLAGS.data_dir,
            resume=FLAGS.resume,
        )
    except loop.Interrupted as stop:
        if stop.step:
            print(
                f"{stop.signal}: stopped at step {stop.step} of "
                f"{recipe.steps}; a checkpoint is in {workdir}. The same "
                "command goes on from there."
            )
        else:
            print(
                f"{stop.signal}: stopped before an iteration was done. The "
                "same command goes on."
            )
        return stop.status
    print(
        f"Validation: top-1 accuracy {metrics.top1_accuracy:.2%}, "
        f"top-5 {metrics.top5_accuracy:.2%} of {metrics.num_examples} images, "
        f"after {recipe.steps} steps; "
        f"{time.perf_counter() - start:.0f} s in this session.\n"
        f"Model: {workdir}/model.keras  Curves: {workdir}/curves.png"
    )
    masked = pathlib.Path(workdir) / workdir_lib.MASKED
    if masked.exists():
        print(f"Images that could not be read: {masked}")
    return 0


_recipe_flags.define()

if __name__ == "__main__":
    _app.run(main)
