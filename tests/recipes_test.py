"""Recipes: the papers' numbers, and what cannot work is refused at once."""

import dataclasses

import pytest

from keras_resnet import errors
from keras_resnet import protocols
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
    assert recipe.pixel_mean == "image"


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
    for key, recipe in recipes.RECIPES.items():
        for name, value in later.items():
            if not key.endswith("_1k_code"):
                assert getattr(recipe, name) == value


# A recipe of each protocol; the table has nothing to do with how it was made.
OF_PROTOCOL = {
    "paper_2015": "cifar10_resnet110",
    "paper_2016": "cifar10_resnet164_v2",
    "resnet_1k_layers": "cifar10_resnet164_v2_1k_code",
}


def _printed():
    """{protocol: {field: value}} as the table prints them."""
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in protocols.table().splitlines()
    ]
    return {
        name: {row[0]: row[column].split("`")[1] for row in rows}
        for column, name in enumerate(head)
        if column
    }


def test_the_2016_paper_warms_up_whatever_the_error_is():
    for variant in ("resnet110_v2", "resnet164_v2", "resnet1001_v2"):
        recipe = recipes.RECIPES[f"cifar10_{variant}"]
        assert (recipe.warmup_steps, recipe.warmup_error) == (400, 0.0)
        assert recipe.warmup_learning_rate == 0.01


@pytest.mark.parametrize("variant", ["resnet164_v2", "resnet1001_v2"])
def test_the_released_code_of_2016_is_not_its_paper(variant):
    """`-batchSize 64 -nEpochs 200`, and fb.resnet.torch's train.lua."""
    recipe = recipes.RECIPES[f"cifar10_{variant}_1k_code"]
    assert recipe.variant == variant
    assert recipe.batch_size == 64
    assert recipe.nesterov
    assert recipe.momentum_rule == "torch"
    assert recipe.decay == "all"
    assert recipe.warmup_steps == 0
    assert recipe.pixel_mean == "channel"
    epochs = 50_000 / recipe.batch_size
    assert recipe.steps == 200 * epochs
    # epoch >= 81 and epoch >= 122, counted from 1, to the batch.
    assert recipe.boundaries == (80 * epochs, 121 * epochs // 1)


def test_the_table_of_protocols_says_what_the_recipes_have():
    printed = _printed()
    assert list(printed) == list(OF_PROTOCOL)
    for protocol, name in OF_PROTOCOL.items():
        recipe = recipes.RECIPES[name]
        for field, value in printed[protocol].items():
            assert value == str(getattr(recipe, field)), (protocol, field)


def test_the_table_has_all_fields_that_differ():
    made = [recipes.RECIPES[name] for name in OF_PROTOCOL.values()]
    differ = {
        field.name
        for field in dataclasses.fields(recipes.Recipe)
        if len({getattr(recipe, field.name) for recipe in made}) > 1
    }
    assert set(_printed()["paper_2015"]) == differ - {"variant"}
    assert len(differ) > 5


def test_every_value_of_a_protocol_has_a_source():
    names = {field.name for field in dataclasses.fields(recipes.Recipe)}
    for protocol in protocols.PROTOCOLS.values():
        assert protocol.keys() <= names
        assert all(source for _, source in protocol.values())


def test_the_defaults_are_the_first_papers_but_for_the_mean_image():
    """The digits keep their colour, as they always had it."""
    paper = recipes.RECIPES["cifar10_resnet20"]
    assert recipes.Recipe() == dataclasses.replace(paper, pixel_mean="channel")
    assert recipes.RECIPES["digits"].pixel_mean == "channel"


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
        ("digits", {"pixel_mean": "colour"}, "Unknown pixel mean"),
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
