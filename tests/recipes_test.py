"""Recipes: the papers' numbers, and what cannot work is refused at once."""

import dataclasses

import pytest

from keras_resnet import errors
from keras_resnet import recipes


def test_cifar_recipe_is_section_4_2_of_the_2015_paper():
    recipe = recipes.RECIPES["cifar10_resnet56"]
    assert recipe.batch_size == 128
    assert recipe.learning_rate == 0.1
    assert recipe.boundaries == (32_000, 48_000)
    assert recipe.steps == 64_000
    assert recipe.momentum == 0.9
    assert not recipe.nesterov
    assert recipe.weight_decay == 1e-4
    assert recipe.pad_pixels == 4
    assert recipe.warmup_steps == 0


@pytest.mark.parametrize("variant", ["resnet110", "resnet1202"])
def test_very_deep_nets_warm_up_at_a_hundredth(variant):
    recipe = recipes.RECIPES[f"cifar10_{variant}"]
    assert recipe.warmup_steps == 400
    assert recipe.warmup_learning_rate == 0.01
    assert recipe.warmup_error == 0.8


def test_imagenet_recipe_is_section_3_4_of_the_2015_paper():
    recipe = recipes.RECIPES["imagenet_resnet152"]
    assert recipe.batch_size == 256
    assert recipe.steps == 600_000
    assert recipe.schedule == "plateau"
    assert recipe.scale_range == (256, 480)
    assert (recipe.image_size, recipe.eval_resize) == (224, 256)


def test_no_paper_recipe_has_later_practice():
    later = {
        "momentum_rule": "caffe",
        "nesterov": False,
        "label_smoothing": 0.0,
        "ema_momentum": 0.0,
        "gradient_accumulation_steps": 1,
        "jit_compile": False,
    }
    for recipe in recipes.RECIPES.values():
        for name, value in later.items():
            assert getattr(recipe, name) == value


def test_overrides_change_only_their_fields():
    recipe = recipes.load("digits", {"seed": 3})
    assert recipe == dataclasses.replace(recipes.RECIPES["digits"], seed=3)


def test_every_part_of_a_network_can_be_the_last_frozen_one():
    for part in ("stem", "stage1", "stage2", "stage3", "stage4", "head", ""):
        recipe = recipes.load("finetune", {"freeze_until": part})
        assert recipe.freeze_until == part


@pytest.mark.parametrize(
    "name, overrides, message",
    [
        ("digit", {}, "Unknown recipe 'digit'. Did you mean 'digits'"),
        ("digits", {"learning_rat": 1}, "Did you mean 'learning_rate'"),
        ("digits", {"variant": "resnet2O"}, "Did you mean 'resnet20'"),
        ("digits", {"schedule": "step"}, "Did you mean 'steps'"),
        ("digits", {"shuffle": "block"}, "Did you mean 'blocks'"),
        ("digits", {"shuffle_blocks": 0}, "shuffle_blocks must be > 0"),
        ("digits", {"steps": 0}, "steps must be > 0. Received: 0"),
        ("digits", {"batch_size": -1}, "batch_size must be > 0"),
        ("digits", {"weight_decay": -1.0}, "weight_decay must be >= 0"),
        ("digits", {"boundaries": (5, 3)}, "must ascend"),
        ("digits", {"boundaries": (-5, 3)}, "not be below 0"),
        ("digits", {"learning_rate": float("inf")}, "must be finite"),
        ("digits", {"weight_decay": float("nan")}, "must be finite"),
        ("digits", {"momentum": 1.0}, r"momentum must be in \[0, 1\)"),
        ("digits", {"warmup_error": 80.0}, "warmup_error must be in"),
        ("digits", {"seed": -1}, "seed must be in"),
        ("digits", {"seed": 2**32}, "seed must be in"),
        ("digits", {"eval_resize": 8}, "eval_resize=8"),
        ("digits", {"dtype": "float16"}, "Did you mean 'bfloat16'"),
        ("digits", {"momentum_rule": "pytorch"}, "Did you mean 'torch'"),
        (
            "digits",
            {"label_smoothing": 1.0},
            r"label_smoothing must be in \[0, 1",
        ),
        ("digits", {"label_smoothing": -0.1}, "Received: -0.1"),
        ("digits", {"ema_momentum": 1.0}, r"ema_momentum must be in \[0, 1"),
        ("digits", {"precise_bn_batches": -1}, "must be >= 0. Received: -1"),
        ("digits", {"gradient_accumulation_steps": 0}, "must be > 0"),
        (
            "digits",
            {"gradient_accumulation_steps": 3},
            "must divide batch_size. .*_steps=3, batch_size=64",
        ),
        ("digits", {"freeze_until": "stage4"}, "Did you mean 'stage3'"),
        ("digits", {"head_learning_rate_multiplier": 0.0}, "must be > 0"),
        ("digits", {"stage_learning_rate_decay": 0.0}, "must be > 0"),
        ("digits", {"stage_learning_rate_decay": 1.5}, "must be <= 1"),
        ("digits", {"decay": "biases"}, "decay scope"),
        ("imagenet_resnet50", {"scale_range": (200, 480)}, "scale_range"),
    ],
)
def test_what_cannot_work_is_refused(name, overrides, message):
    with pytest.raises(errors.UsageError, match=message):
        recipes.load(name, overrides)
