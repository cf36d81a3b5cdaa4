"""What `keras-resnet train` says of a run."""

import json
import pathlib


def beginning(recipe, workdir, devices):
    """What begins, where, and from which weights."""
    text = (
        f"Training {recipe.variant} on {recipe.dataset} at "
        f"{recipe.image_size}x{recipe.image_size} pixels ({devices}) in "
        f"{workdir}"
    )
    if recipe.holdout_examples:
        text += (
            f"\n{recipe.holdout_examples:,} training images are held out and "
            "judge the run; evaluate reports the validation images."
        )
    if not recipe.weights:
        return text
    frozen = ""
    if recipe.freeze_until:
        frozen += f", frozen up to {recipe.freeze_until}"
    if recipe.unfreeze_boundaries:
        steps = ", ".join(map(str, recipe.unfreeze_boundaries))
        frozen += f", a part less after steps {steps}"
    if recipe.freeze_batch_norm:
        frozen += ", BN frozen"
    return f"{text}\nStarting from {recipe.weights}{frozen}"


def chosen(recipe, splits):
    """What was chosen for a folder, and how its images are divided.

    Args:
        recipe: `recipes.Recipe`.
        splits: {"train", "validation"}: `Split`.
    """
    from keras_resnet.data.pixels import augmentations

    train, validation = splits["train"], splits["validation"]
    fields = {k: v for k, v in recipe.changed.items() if k != "dataset"}
    text = (
        f"{train.num_examples:,} images of {len(train.class_names)} classes "
        f"to train on, {validation.num_examples:,} for validation. Chosen: "
        f"{', '.join(f'{k}={v}' for k, v in fields.items())}"
    )
    if augmentations.augmentation(recipe.augmentation).flips:
        text += (
            "\nHalf of the images are mirrored. Where that makes them another "
            "class, as with text: --augmentation=pad_crop"
        )
    return text


def result(recipe, workdir, metrics, seconds):
    """What a run reached in so many seconds, and what it left."""
    from keras_resnet.training import workdir as workdir_lib

    judges = "Held-out" if recipe.holdout_examples else "Validation"
    text = (
        f"{judges}: {_accuracies(metrics, workdir)} of "
        f"{metrics.num_examples} images, after {_last_step(workdir)} steps; "
        f"{seconds:.0f} s in this session.\n"
        f"Model: {workdir}/model.keras  Curves: {workdir}/curves.png"
    )
    if recipe.keep == "best":
        text += (
            f"\n{judges} images have chosen the model: of others expect a "
            f"little less. The last one: {workdir}/{workdir_lib.LAST}"
        )
    masked = pathlib.Path(workdir) / workdir_lib.MASKED
    if masked.exists():
        text += f"\nImages that could not be read: {masked}"
    return text


def stopped(stop, recipe, workdir):
    """Where a `signals.Interrupted` has stopped a run."""
    if not stop.step:
        return (
            f"{stop.signal}: stopped before an iteration was done. The same "
            "command goes on."
        )
    return (
        f"{stop.signal}: stopped at step {stop.step} of {recipe.steps}; a "
        f"checkpoint is in {workdir}. The same command goes on from there."
    )


def newest(workdir):
    """Name of the newest checkpoint of a run; None if there is none."""
    from keras_resnet.training.checkpoints import folder
    from keras_resnet.training.workdir import CHECKPOINTS

    found = folder.found(pathlib.Path(workdir, CHECKPOINTS))
    return found[-1].name if found else None


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
