"""Everything that decides the result of a training run, as named values."""

import dataclasses
from collections.abc import Mapping

from keras_resnet.errors import lookup
from keras_resnet.errors import register as register_row
from keras_resnet.errors import require
from keras_resnet.recipes import later
from keras_resnet.recipes import modern
from keras_resnet.recipes import protocols
from keras_resnet.recipes.recipe import Recipe

_PAPER_2015, _PAPER_2016, _1K_CODE = (
    Recipe(**protocols.fields(name))
    for name in ("paper_2015", "paper_2016", "resnet_1k_layers")
)
# P1 4.2 warms up from 110 layers on.
_SHALLOW = dataclasses.replace(_PAPER_2015, warmup_steps=0)

# P1 subtracts a mean image here too. We take a mean colour: the mean image of
# 1.28 million pictures takes an epoch of reading and has almost one colour.
_IMAGENET = Recipe(
    variant="resnet50",
    dataset="imagenet2012",
    image_size=224,
    eval_resize=256,
    augmentation="imagenet",
    batch_size=256,
    steps=600_000,  # P1 3.4
    schedule="plateau",
    # Ours: P1 does not say which error it watched; here not the reported one.
    holdout_examples=10_000,
    log_every_steps=100,
    eval_every_steps=5_000,
    checkpoint_every_steps=5_000,
)

_IMAGENET_2016 = dataclasses.replace(
    _IMAGENET,
    # P2 sec. 5: a tenth at 30 and 60 epochs of 5,005 steps.
    schedule="steps",
    holdout_examples=0,
    boundaries=(150_150, 300_300),
    steps=450_450,
)

RECIPES: dict[str, Recipe] = {
    "digits": dataclasses.replace(
        Recipe(),
        dataset="digits",
        image_size=16,
        eval_resize=16,
        augmentation="pad_crop",
        pad_pixels=2,
        batch_size=64,
        steps=600,
        boundaries=(350, 500),
        log_every_steps=5,
        eval_every_steps=25,
        checkpoint_every_steps=100,
    ),
    **{
        f"cifar10_resnet{depth}": dataclasses.replace(
            _SHALLOW, variant=f"resnet{depth}"
        )
        for depth in (20, 32, 44, 56)
    },
    **{
        f"cifar10_plainnet{depth}": dataclasses.replace(
            _SHALLOW, variant=f"plainnet{depth}"
        )
        for depth in (20, 32, 44, 56, 110)
    },
    **{
        f"cifar10_{variant}": dataclasses.replace(_PAPER_2015, variant=variant)
        for variant in ("resnet110", "resnet1202")
    },
    **{
        f"cifar10_{variant}": dataclasses.replace(_PAPER_2016, variant=variant)
        for variant in ("resnet110_v2", "resnet164_v2", "resnet1001_v2")
    },
    # The networks that the released code of P2 can build.
    **{
        f"cifar10_{variant}_1k_code": dataclasses.replace(
            _1K_CODE, variant=variant
        )
        for variant in ("resnet164_v2", "resnet1001_v2")
    },
    **{
        f"imagenet_{variant}": dataclasses.replace(_IMAGENET, variant=variant)
        for variant in (
            "plainnet18",
            "plainnet34",
            "resnet18",
            "resnet18_a",
            "resnet34",
            "resnet34_a",
            "resnet34_c",
            "resnet50",
            "resnet101",
            "resnet152",
        )
    },
    # P2's text compares it with P1's ResNet-101.
    "imagenet_resnet101_bn_after_add": dataclasses.replace(
        _IMAGENET, variant="resnet101", placement="bn_after_add"
    ),
    **{
        f"imagenet_{variant}": dataclasses.replace(
            _IMAGENET_2016, variant=variant
        )
        for variant in ("resnet152_v2", "resnet200", "resnet200_v2")
    },
    # P2 Table 5, last row, with fb.resnet.torch's crops and colours.
    "imagenet_resnet200_v2_area": dataclasses.replace(
        _IMAGENET_2016,
        variant="resnet200_v2",
        augmentation="area_crop_color",
    ),
    # Not the papers': `modern` has the sources.
    **{name: Recipe(**modern.fields(name)) for name in modern.PROCEDURES},
    # Not the papers': their networks on few images of other classes.
    # Takes --weights, --dataset=folder:PATH and, for other weights than
    # ImageNet's, --variant and the sizes of the images.
    "finetune": dataclasses.replace(
        _IMAGENET,
        variant="resnet18",
        dataset="folder:photographs",
        batch_size=32,
        steps=500,
        learning_rate=0.005,
        decay="kernels",
        schedule="steps",
        holdout_examples=0,
        boundaries=(350, 450),
        freeze_batch_norm=True,
        head_learning_rate_multiplier=10.0,
        stage_learning_rate_decay=0.5,
        log_every_steps=10,
        eval_every_steps=50,
        checkpoint_every_steps=100,
    ),
}


def register(name: str, recipe: Recipe):
    """Adds a recipe that `load` and --recipe know by name.

    Call it in a module of yours that `--import` names.

    Args:
        name: what it is called.
        recipe: `Recipe`, such as a change of another one.

    Raises:
        keras_resnet.UsageError: if the name is taken, or it is not a `Recipe`.

    Example:

    >>> recipes.register("birds", recipes.load("finetune", {
    ...     "dataset": "folder:birds", "variant": "resnet50", "steps": 2000,
    ... }))
    """
    require(
        isinstance(recipe, Recipe),
        f"A recipe must be a recipes.Recipe, as recipes.load gives. Received: "
        f"a {type(recipe).__name__}.",
    )
    register_row(RECIPES, name, recipe, "recipe")


def load(recipe: str | Recipe, overrides: Mapping | None = None) -> Recipe:
    """The recipe of a name, or a recipe itself, with some fields changed.

    Args:
        recipe: key of `RECIPES`, or `Recipe`.
        overrides: dict from field names to values.

    Raises:
        keras_resnet.UsageError: if the name or a field is unknown, a value
            cannot work, other images would get the digits' size, or a new
            optimizer would get the learning rate of another.
    """
    if isinstance(recipe, Recipe):
        base, name = recipe, ""
    else:
        base, name = lookup(RECIPES, recipe, "recipe"), f" {recipe!r}"
    overrides = {} if overrides is None else overrides
    require(
        isinstance(overrides, Mapping),
        "overrides must be a dict from fields to values. Received: a "
        f"{type(overrides).__name__}.",
    )
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    for field in overrides:
        lookup(fields, field, "recipe field")
    changed = dataclasses.replace(base, **overrides)
    later.check_own_rate(base, changed, overrides)
    require(
        base.dataset != "digits"
        or changed.dataset == base.dataset
        or "image_size" in overrides,
        f"The recipe{name} shows the network {base.image_size}x"
        f"{base.image_size} pixels, which is for the digits alone. Say what "
        f"it sees of {changed.dataset!r}, by another --recipe or by the "
        "fields, as in: keras-resnet train "
        f"--dataset={changed.dataset} --variant=resnet20 --image_size=32 "
        "--eval_resize=32 --augmentation=cifar --pad_pixels=4; or with "
        "photographs: keras-resnet train --recipe=finetune "
        f"--weights=torchvision:IMAGENET1K_V1 --dataset={changed.dataset}. "
        f"Received: dataset={changed.dataset!r} without image_size.",
    )
    return changed
