"""Recipes: the papers' numbers, and what cannot work is refused at once."""

import dataclasses
import itertools
import json
import random
import re

import pytest

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.recipes import freezing
from keras_resnet.recipes import modern
from keras_resnet.recipes import protocols
from keras_resnet.recipes.later import Later

ADAMW = {"optimizer": "adamw", "learning_rate": 1e-3}


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
        **{f.name: f.default for f in dataclasses.fields(Later)},
    }
    for key, recipe in recipes.RECIPES.items():
        for name, value in later.items():
            if not (key.endswith("_1k_code") or key in modern.PROCEDURES):
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
    """The digits keep a mean colour, as before."""
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
    "until, boundaries, frozen",
    [
        ("head", (), ["head"] * 4),
        ("head", (1, 3), ["head", "stage3", "stage3", "stage2"]),
        ("stage2", (2, 3), ["stage2", "stage2", "stage1", "stem"]),
        ("stem", (1,), ["stem", "", "", ""]),
        ("", (), [""] * 4),
    ],
)
def test_parts_begin_to_train_from_the_classifier_on(until, boundaries, frozen):
    recipe = recipes.load(
        "finetune", {"freeze_until": until, "unfreeze_boundaries": boundaries}
    )
    assert [freezing.until(recipe, step) for step in range(4)] == frozen


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
        ("digits", {"eval_size": 17}, "not be below eval_size.*eval_size=17"),
        ("digits", {"eval_size": -1}, "eval_size must be >= 0"),
        ("digits", {"progressive_sizes": (8,)}, "must be as many as"),
        (
            "digits",
            {"progressive_sizes": (16,), "progressive_boundaries": (5,)},
            r"must ascend from above 0, to below image_size=16.*\[16\]",
        ),
        (
            "digits",
            {"progressive_sizes": (8, 12), "progressive_boundaries": (5, 5)},
            "progressive_boundaries must ascend",
        ),
        ("digits", {"eval_size": 12, "pixel_mean": "image"}, "of one size"),
        ("digits", {"repeated_augmentation": 0}, "must be > 0. Received: 0"),
        ("digits", {"stochastic_depth": 1.0}, r"must be a number in \[0, 1\)"),
        (
            "digits",
            {"stochastic_depth": 0.1, "variant": "plainnet20"},
            "a plain network would pass nothing on",
        ),
        (
            "digits",
            {"zero_gamma": True, "variant": "resnet110_v2"},
            "zero_gamma is of a branch that ends in BN",
        ),
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
        ("digits", {"unfreeze_boundaries": (5,)}, "what freeze_until began"),
        (
            "finetune",
            {"freeze_until": "stem", "unfreeze_boundaries": (5, 6)},
            "may be 1 at most",
        ),
        (
            "finetune",
            {"freeze_until": "head", "unfreeze_boundaries": (5, 5)},
            "unfreeze_boundaries must ascend",
        ),
        ("digits", {"head_learning_rate_multiplier": 0.0}, "must be > 0"),
        ("digits", {"stage_learning_rate_decay": 0.0}, "must be > 0"),
        ("digits", {"stage_learning_rate_decay": 1.5}, "must be <= 1"),
        ("digits", {"decay": "biases"}, "decay scope"),
        ("digits", {"optimizer": "adam"}, "Did you mean 'adamw'"),
        ("digits", {"optimizer": "lamb"}, "Say learning_rate with .*=lamb"),
        ("digits", {**ADAMW, "nesterov": True}, "nesterov is of optimizer=sgd"),
        (
            "digits",
            {**ADAMW, "momentum_rule": "torch"},
            "=adamw, .*_rule=torch",
        ),
        ("digits", {**ADAMW, "dtype": "bfloat16"}, "take dtype=mixed_bfloat16"),
        ("digits", {"clip_norm": -1.0}, "clip_norm must be >= 0"),
        ("digits", {"warmup": "cosine"}, "Known: constant, linear"),
        (
            "digits",
            {"final_learning_rate": 0.2, "schedule": "cosine"},
            "not be above learning_rate",
        ),
        (
            "digits",
            {"final_learning_rate": 0.01},
            "of the schedules cosine and one_cycle.*schedule=steps",
        ),
        (
            "digits",
            {"distillation": "hard"},
            "distillation is of a teacher. Received: distillation='hard'",
        ),
        (
            "digits",
            {"schedule": "one_cycle", "warmup_steps": 5},
            "one_cycle is a warm-up itself.*Received: 5",
        ),
        ("digits", {"mixup_alpha": -0.1}, "mixup_alpha must be >= 0"),
        ("digits", {"cutmix_alpha": 1.0, "batch_size": 33}, "be even.*: 33"),
        ("digits", {"loss": "bce"}, "Unknown loss 'bce'"),
        ("digits", {"target_threshold": 0.2}, "is of loss=binary"),
        (
            "digits",
            {"target_threshold": 1.0, "loss": "binary"},
            r"target_threshold must be in \[0, 1\)",
        ),
        ("digits", {"distillation": "firm"}, "Known: soft, hard"),
        ("digits", {"distillation_weight": 1.5}, r"must be in \[0, 1\]"),
        ("digits", {"distillation_temperature": 0.0}, "must be > 0"),
        ("imagenet_resnet50", {"scale_range": (200, 480)}, "scale_range"),
    ],
)
def test_what_cannot_work_is_refused(name, overrides, message):
    with pytest.raises(errors.UsageError, match=message):
        recipes.load(name, overrides)


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("steps", "x", r"steps must be a whole number. Received: 'x' \(str"),
        ("steps", 2.0, r"steps must be a whole number. Received: 2.0 \(float"),
        ("steps", True, "steps must be a whole number. Received: True"),
        ("steps", None, r"Received: None \(NoneType\)"),
        ("steps", 2**63, r"steps must be below 2\*\*63"),
        ("learning_rate", "0.1", "learning_rate must be a number"),
        ("learning_rate", 10**400, r"learning_rate must be below 2\*\*63"),
        ("learning_rate", 1e39, "learning_rate must be finite"),
        ("nesterov", 1, "nesterov must be True or False. Received: 1"),
        ("variant", 20, "variant must be a text. Received: 20"),
        ("weights", b"x", "weights must be a text"),
        ("boundaries", 350, "boundaries must be whole numbers"),
        ("boundaries", (1, 2.5), r"Received: \(1, 2.5\) \(tuple\)"),
        ("depths", "222", "depths must be whole numbers"),
        ("on_bad_image", "mask:" + "9" * 5000, "mask:N"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(field, value, message):
    with pytest.raises(errors.UsageError, match=message):
        recipes.load("digits", {field: value})


def test_a_recipe_itself_is_changed_as_its_name_is():
    changes = {"momentum": 0.5}
    named = recipes.load("digits", changes)
    assert recipes.load(recipes.RECIPES["digits"], changes) == named
    assert named != recipes.RECIPES["digits"]
    with pytest.raises(errors.UsageError, match="Did you mean 'momentum'"):
        recipes.load(named, {"momentun": 0.5})
    with pytest.raises(errors.UsageError, match="^The recipe shows .* 16x16"):
        recipes.load(named, {"dataset": "mnist"})


def test_overrides_are_a_dict_and_lists_are_tuples():
    with pytest.raises(errors.UsageError, match="must be a dict.*a list"):
        recipes.load("digits", ["steps"])
    recipe = recipes.load("digits", {"boundaries": [3, 5], "momentum": 0})
    assert recipe.boundaries == (3, 5)
    assert recipe.momentum == 0


# Values of every type, at and past every limit; some are right for some fields.
_VALUES = (
    *(None, True, False, 0, 1, -1, 3, 64, 2**31, 2**63, 10**400, 10**5000),
    *(0.0, -0.0, 0.5, 1.0, 1.5, 1e39, 1e400, -1e400, float("nan"), 1j),
    *("", "x", "resnet20", "head", "steps", "mask:3", "folder:x", "\udcff"),
    *(b"x", (), [], {}, set(), (1,), [1, 2], (1, "x"), (2, 1), ((1,),)),
    *((1, True), range(3), object(), int, lambda: 0, Exception("x")),
)


def _random_overrides(generator):
    """Half of the values are of the field's type."""
    fields = dataclasses.fields(recipes.Recipe)
    overrides = {}
    for field in generator.sample(fields, generator.randint(1, 3)):
        right = [value for value in _VALUES if type(value) is field.type]
        values = generator.choice((right, _VALUES)) or _VALUES
        overrides[field.name] = generator.choice(values)
    return overrides


def test_random_overrides_give_a_valid_recipe_or_one_line():
    generator = random.Random(15)
    accepted = 0
    for _ in range(2_000):
        name = generator.choice(list(recipes.RECIPES))
        overrides = _random_overrides(generator)
        try:
            recipe = recipes.load(name, overrides)
        except errors.UsageError as error:
            assert str(error).count("\n") == 0
            continue
        accepted += 1
        # What config.json holds is the same recipe.
        held = json.loads(json.dumps(dataclasses.asdict(recipe)))
        assert recipes.Recipe(**held) == recipe
        hash(recipe)
        for field in dataclasses.fields(recipe):
            if field.type in (int, bool, str):
                assert type(getattr(recipe, field.name)) is field.type
    assert 100 < accepted < 1_900


FOREIGN = ("folder:X", "tfrecord:X*", "cifar10", "fashion_mnist")


@pytest.mark.parametrize("dataset", FOREIGN)
def test_the_pixels_of_the_digits_are_for_the_digits(dataset):
    """Otherwise a folder's images would silently be shrunk to 16 pixels."""
    with pytest.raises(errors.UsageError) as caught:
        recipes.load("digits", {"dataset": dataset})
    message = str(caught.value)
    assert "16x16 pixels" in message
    commands = [
        text.partition(";")[0].partition(". ")[0].split()
        for text in message.split("keras-resnet train ")[1:]
    ]
    assert len(commands) == 2
    for words in commands:  # what it proposes works
        given = dict(word.removeprefix("--").split("=", 1) for word in words)
        name = given.pop("recipe", "digits")
        for field in ("image_size", "eval_resize", "pad_pixels"):
            if field in given:
                given[field] = int(given[field])
        recipe = recipes.load(name, given)
        assert recipe.dataset == dataset
        assert recipe.image_size >= 32
    # An explicit size of 16 pixels is accepted.
    asked = recipes.load("digits", {"dataset": dataset, "image_size": 16})
    assert (asked.dataset, asked.image_size) == (dataset, 16)


def test_other_recipes_take_other_data():
    for name, dataset in itertools.product(recipes.RECIPES, FOREIGN):
        if name != "digits":
            assert recipes.load(name, {"dataset": dataset}).dataset == dataset
    assert recipes.load("digits", {"dataset": "digits"}).image_size == 16


@pytest.mark.parametrize(
    "overrides, late",
    [
        ({"steps": 120}, "boundaries: 350, 500 lie.*--boundaries=60,90"),
        ({"steps": 400}, "boundaries: 500 lie.*--boundaries=200,300"),
        ({"boundaries": (350, 600)}, "boundaries: 600 lie"),
        ({"warmup_steps": 600}, "warmup_steps=600 is no shorter.*steps=600"),
        (
            {"progressive_sizes": (8,), "progressive_boundaries": (600,)},
            "progressive_boundaries: 600 lie.*never grow",
        ),
        ({"warmup_steps": 600, "warmup": "linear"}, "never comes to 0.1"),
    ],
)
def test_what_lies_past_the_end_is_said(overrides, late):
    [line] = recipes.past_the_end(recipes.load("digits", overrides))
    assert re.search(late, line)
    assert "\n" not in line


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"boundaries": (350, 599)},
        {"steps": 120, "boundaries": (60, 90)},
        {"steps": 120, "boundaries": ()},
        # These have no boundaries, whatever the field says.
        {"steps": 120, "schedule": "plateau"},
        {"steps": 120, "schedule": "constant"},
        {"warmup_steps": 599},
    ],
)
def test_what_lies_before_the_end_is_not(overrides):
    assert not recipes.past_the_end(recipes.load("digits", overrides))


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_no_recipe_has_anything_past_its_end(name):
    assert not recipes.past_the_end(recipes.RECIPES[name])
