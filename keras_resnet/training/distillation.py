"""What a network learns from another one. Shapes: B images, K classes."""

import hashlib
import pathlib

import keras

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.inference import opening
from keras_resnet.networks import outputs


def load(recipe, pupil, class_names):
    """The teacher of a recipe, up to its logits.

    Args:
        recipe: `recipes.Recipe`.
        pupil: `keras.Model`, the network that learns.
        class_names: of the data set.

    Returns:
        `keras.Model` from pixels, 0..255, to logits, float32 (B, K). None
        where the recipe has no teacher.

    Raises:
        keras_resnet.UsageError: if it cannot be read, or has other classes or
            takes other images.
    """
    if not recipe.teacher:
        return None
    model = opening.load(recipe.teacher)
    number, card = model.output_shape[-1], model.card
    require(
        number == len(class_names)
        and (card is None or card.class_names == tuple(class_names))
        and not outputs.is_multi_label(model),
        f"The teacher {recipe.teacher} does not tell the {len(class_names)} "
        "classes of the data set, in their order. Received a network of "
        f"{number} outputs.",
    )
    takes, channels = model.input_shape[1:], pupil.input_shape[-1]
    for side in {*recipe.progressive_sizes, recipe.image_size}:
        require(
            takes in ((side, side, channels), (None, None, channels)),
            f"The teacher {recipe.teacher} must take what the network sees, "
            f"images of {(side, side, channels)}. It takes {takes}.",
        )
    model.trainable = False
    return outputs.logits(model)


def digest(recipe):
    """The sha256 of a recipe's teacher, hexadecimal; "" without one.

    Raises:
        keras_resnet.UsageError: if there is no such file.
    """
    if not recipe.teacher:
        return ""
    path = pathlib.Path(opening.path_of(recipe.teacher))
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(
            f"The teacher must be a model file, or the folder of a run. "
            f"Received: {recipe.teacher!r}: {error.strerror}."
        ) from error


def distilled(loss, recipe):
    """A loss with a part for the distance from the teacher's answers.

    References: Hinton et al. 2015, arXiv 1503.02531 (soft: T * T times the
    divergence of softmax(student / T) from softmax(teacher / T)); Touvron et
    al. 2021, arXiv 2012.12877, sec. 4 (hard: cross-entropy against the
    teacher's likeliest class).

    Args:
        loss: (logits, batch) -> float (B,).
        recipe: `recipes.Recipe`: its distillation fields.

    Returns:
        A loss of the same form; its batch also has "teacher", float (B, K), the
        teacher's logits.
    """
    part = recipe.distillation_weight
    temperature = recipe.distillation_temperature
    terms = {"soft": _divergence, "hard": _disagreement}
    term = terms[recipe.distillation]

    def both(logits, batch):
        teacher = keras.ops.cast(batch["teacher"], logits.dtype)
        away = term(logits, teacher, temperature)
        return (1 - part) * loss(logits, batch) + part * away

    return both


def _divergence(logits, teacher, temperature):
    ours = keras.ops.log_softmax(logits / temperature)
    theirs = keras.ops.log_softmax(teacher / temperature)
    terms = keras.ops.exp(theirs) * (theirs - ours)
    return temperature**2 * keras.ops.sum(terms, axis=-1)


def _disagreement(logits, teacher, temperature):
    del temperature
    return keras.losses.sparse_categorical_crossentropy(
        keras.ops.argmax(teacher, axis=-1), logits, from_logits=True
    )
