"""Steps, epochs and examples are three ways to give one length."""

import pytest

from keras_resnet import recipes
from keras_resnet.data.pixels import augmentations
from keras_resnet.errors import UsageError
from keras_resnet.recipes import durations
from keras_resnet.recipes import own_images


def _steps(**given):
    return durations.to_steps(batch_size=32, num_examples=100, **given)


@pytest.mark.parametrize(
    "given, steps",
    [
        ({"steps": 7}, 7),
        ({"epochs": 1}, 4),  # 3.125 batches
        ({"epochs": 8}, 25),
        ({"epochs": 0.32}, 1),
        ({"epochs": 0.96}, 3),  # 0.96 * 100 / 32 is a bit above 3 in binary
        ({"examples": 64}, 2),
        ({"examples": 65}, 3),
        ({"examples": 1}, 1),
    ],
)
def test_a_length_is_rounded_up_to_iterations(given, steps):
    assert _steps(**given) == steps


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, "one of steps, epochs and examples. Received: none"),
        ({"steps": 1, "epochs": 1}, "Received: {'steps': 1, 'epochs': 1}"),
        ({"epochs": 0}, "epochs must be a number > 0. Received: 0"),
        ({"epochs": float("nan")}, "Received: nan"),
        ({"epochs": float("inf")}, "Received: inf"),
        ({"steps": "7"}, "Received: '7'"),
        ({"steps": True}, "Received: True"),
    ],
)
def test_what_is_no_length_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        _steps(**given)


@pytest.mark.parametrize(
    "side, variant, size, mirrored",
    [
        (28, "resnet20", 32, False),
        (47, "resnet20", 32, False),
        (48, "resnet20", 64, False),
        (150, "resnet18", 128, True),
        (500, "resnet18", 224, True),
    ],
)
def test_small_images_suggest_a_small_network_and_no_mirror(
    side, variant, size, mirrored
):
    recipe = own_images.make("folder:x", num_examples=500, shorter_side=side)
    assert (recipe.variant, recipe.image_size) == (variant, size)
    row = augmentations.augmentation(recipe.augmentation)
    assert row.flips == mirrored
    assert not recipe.weights
    assert not recipes.past_the_end(recipe)


def test_with_weights_it_fine_tunes_at_their_size():
    recipe = own_images.make(
        "folder:x", num_examples=500, shorter_side=60, weights="imagenet"
    )
    known = recipes.load("finetune")
    for field in (
        "image_size",
        "learning_rate",
        "freeze_batch_norm",
        "stage_learning_rate_decay",
    ):
        assert getattr(recipe, field) == getattr(known, field)


@pytest.mark.parametrize("number", [1, 3, 20, 146, 500, 1_000_000])
def test_any_number_of_images_has_a_run(number):
    recipe = own_images.make(
        "folder:x", num_examples=number, shorter_side=28, epochs=2
    )
    assert recipe.steps == -(-2 * number // recipe.batch_size)
    assert 4 <= recipe.batch_size <= 32
    assert number < 64 or number // recipe.batch_size >= 8
    # Each checkpoint follows an evaluation; few pictures have short epochs.
    assert recipe.checkpoint_every_steps % recipe.eval_every_steps == 0
    assert recipe.checkpoint_every_steps >= 50
