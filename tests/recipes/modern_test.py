"""Later recipes, value by value, against what was published."""

import dataclasses
import shlex

import pytest

from keras_resnet import recipes
from keras_resnet.recipes import modern

# The command of torchvision's ResNet50_Weights.IMAGENET1K_V2, from the issue
# that its `meta["recipe"]` names.
COMMAND = """
torchrun --nproc_per_node=8 train.py --model resnet50 --batch-size 128 --lr 0.5
--lr-scheduler cosineannealinglr --lr-warmup-epochs 5 --lr-warmup-method linear
--auto-augment ta_wide --epochs 600 --random-erase 0.1 --weight-decay 0.00002
--norm-weight-decay 0.0 --label-smoothing 0.1 --mixup-alpha 0.2
--cutmix-alpha 1.0 --train-crop-size 176 --model-ema --val-resize-size 232
--ra-sampler --ra-reps 4
"""
# Defaults of its train.py for what the command does not set.
DEFAULTS = """
--momentum 0.9 --lr-warmup-decay 0.01 --lr-min 0.0 --val-crop-size 224
--interpolation bilinear --model-ema-decay 0.99998 --model-ema-steps 32
"""
EPOCH = 1_251  # batches of 1,024

# {flag: (field, function from the flag's value to the field's)}.
FIELDS = {
    "nproc_per_node": ("batch_size", lambda gpus: int(gpus) * 128),
    "model": ("variant", lambda name: f"{name}_v1_5"),
    "batch-size": ("batch_size", lambda size: int(size) * 8),
    "lr": ("learning_rate", float),
    "lr-scheduler": ("schedule", {"cosineannealinglr": "cosine"}.get),
    "lr-warmup-epochs": ("warmup_steps", lambda n: int(n) * EPOCH),
    "lr-warmup-method": ("warmup", str),
    "lr-warmup-decay": ("warmup_learning_rate", lambda f: float(f) * 0.5),
    "lr-min": ("final_learning_rate", float),
    "auto-augment": ("policy", {"ta_wide": "trivial_augment"}.get),
    "interpolation": ("policy_interpolation", str),
    "epochs": ("steps", lambda n: int(n) * EPOCH),
    "random-erase": ("erasing", float),
    "momentum": ("momentum", float),
    "weight-decay": ("weight_decay", float),
    "norm-weight-decay": ("decay", {"0.0": "kernels"}.get),
    "label-smoothing": ("label_smoothing", float),
    "mixup-alpha": ("mixup_alpha", float),
    "cutmix-alpha": ("cutmix_alpha", float),
    "train-crop-size": ("image_size", int),
    "val-crop-size": ("eval_size", int),
    "val-resize-size": ("eval_resize", int),
    "ra-reps": ("repeated_augmentation", int),
}
# The test below checks the average of the weights apart from the others.
SWITCHES = {"model-ema", "ra-sampler", "model-ema-decay", "model-ema-steps"}


def _flags(*texts):
    found, words = {}, shlex.split(" ".join(texts))
    for word, after in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            found[name] = value or after
    return found


def test_torchvisions_second_recipe_is_its_command():
    recipe = recipes.RECIPES["imagenet_resnet50_torchvision_v2"]
    flags = _flags(COMMAND, DEFAULTS)
    assert set(flags) == set(FIELDS) | SWITCHES
    for flag, (field, value_of) in FIELDS.items():
        want = value_of(flags[flag])
        assert getattr(recipe, field) == pytest.approx(want), flag
    assert recipe.augmentation == "area_crop"
    assert (recipe.optimizer, recipe.momentum_rule) == ("sgd", "torch")
    assert not (recipe.nesterov or recipe.zero_gamma)
    # 32 iterations at once: alpha = (1 - decay) * GPUs * batch * 32 / epochs.
    alpha = (1 - 0.99998) * 8 * 128 * 32 / 600
    assert 1 - recipe.ema_momentum**32 == pytest.approx(alpha, rel=1e-6)


# RSB Table 2, procedures A1, A2, A3; None where the table has a cross.
TABLE = {
    "image_size": (224, 224, 160),
    "eval_size": (224, 224, 224),
    "batch_size": (2048, 2048, 2048),
    "optimizer": ("lamb", "lamb", "lamb"),
    "learning_rate": (5e-3, 5e-3, 8e-3),
    "schedule": ("cosine", "cosine", "cosine"),
    "weight_decay": (0.01, 0.02, 0.02),
    "label_smoothing": (0.1, None, None),
    "stochastic_depth": (0.05, 0.05, None),
    "repeated_augmentation": (3, 3, None),
    "policy": ("rand_augment",) * 3,
    "policy_magnitude": (7, 7, 6),
    "policy_magnitude_deviation": (0.5, 0.5, 0.5),
    "mixup_alpha": (0.2, 0.1, 0.1),
    "cutmix_alpha": (1.0, 1.0, 1.0),
    "erasing": (None, None, None),
    "ema_momentum": (None, None, None),
    "loss": ("binary", "binary", "binary"),
    "dtype": ("mixed_float16",) * 3,
}
EPOCHS, WARMUP = (600, 300, 100), 5


@pytest.mark.parametrize("column", range(3))
def test_resnet_strikes_back_is_its_table(column):
    recipe = recipes.RECIPES[f"imagenet_resnet50_a{column + 1}"]
    for field, row in TABLE.items():
        default = getattr(recipes.Recipe(), field)
        want = default if row[column] is None else row[column]
        assert getattr(recipe, field) == want, field
    epoch = 1_281_167 // 2_048
    assert recipe.steps == EPOCHS[column] * epoch
    assert (recipe.warmup, recipe.warmup_steps) == ("linear", WARMUP * epoch)
    assert recipe.eval_resize == int(224 / 0.95)
    assert recipe.augmentation == "area_crop" and recipe.zero_gamma


@pytest.mark.parametrize("name", modern.PROCEDURES)
def test_every_field_of_a_later_recipe_has_a_source(name):
    rows, recipe = modern.PROCEDURES[name], recipes.RECIPES[name]
    assert all(source for _, source in rows.values())
    # Every field that differs from the first paper's defaults has a source.
    assert set(recipe.changed) <= set(rows)
    assert recipe == dataclasses.replace(recipe, **modern.fields(name))
