"""The files that a finished run leaves: each whole or not there."""

from keras_resnet import files
from keras_resnet.labels import cards
from keras_resnet.networks import outputs
from keras_resnet.training import workdir as workdir_lib
from keras_resnet.training.checkpoints.checkpoint import BEST


def save_model(workdir, model, recipe, class_names):
    """Writes labels.txt, card.json and, last, model.keras.

    If the recipe keeps the best network, model.keras is that one and the last
    becomes last.keras.

    Args:
        workdir: pathlib.Path of the run.
        model: the trained `keras.Model`.
        recipe: `recipes.Recipe` of the run.
        class_names: of the model's outputs.
    """
    several = outputs.is_multi_label(model)
    cards.Card.of_run(recipe, class_names, several).save(workdir)
    best = workdir / BEST
    is_last = recipe.keep == "last"
    name = workdir_lib.MODEL if is_last else workdir_lib.LAST
    with files.replacing(workdir / name) as path:
        model.save(path)
    if not is_last:
        files.link(best, workdir / workdir_lib.MODEL)
        best.unlink()


def list_masked(workdir, masked):
    """Writes masked_images.csv if there are any.

    Args:
        workdir: pathlib.Path of the run.
        masked: list of `bad_images.MaskedImages`.
    """
    from keras_resnet.data.survey import inspection

    rows = [
        (images.split.describe(index), why)
        for images in masked
        for index, why in images.reasons.items()
    ]
    if rows:
        path = workdir / workdir_lib.MASKED
        inspection.write_csv(path, ("image", "reason"), rows)
