"""The papers' tables and figures as data; the files beside this run them.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

import types

from reproduction.cost_rows import COSTS
from reproduction.cost_rows import REMAT
from reproduction.imagenet_rows import IMAGENET
from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting

from keras_resnet.networks import papers

# P1 4.2: until the training error is below 80 %, "about 400 iterations".
_WARM = {"warmup_steps": 400}
# P2 sec. 3: "the first 400 iterations", for every network.
_WARM_2016 = {"warmup_steps": 400, "warmup_error": 0.0}
_WARM_QUICK = {"warmup_steps": 50, "warmup_error": 0.0}

# Data sets of the full scale: CIFAR's schedule and augmentation on each.
# A mean image is for the papers' own data set.
_COLOR = {"pixel_mean": "channel"}
_FASHION = {"image_size": 28, "eval_resize": 28, "pad_pixels": 2, **_COLOR}
_FULL = {
    "cifar10": Setting(seeds=5),
    "cifar100": Setting(seeds=5),
    "fashion_mnist": Setting(recipe=_FASHION, seeds=5),
}
_FULL_2016 = {
    dataset: setting._replace(recipe={**setting.recipe, **_WARM_2016})
    for dataset, setting in _FULL.items()
}
# The quick scale: small images, half the papers' batch and half their rate,
# their momentum and decay, and a tenth of the rate after 3/5 and 9/10.
_QUICK = {
    "batch_size": 64,
    "learning_rate": 0.05,
    "log_every_steps": 25,
    **_COLOR,
}
_DIGITS = {
    **_QUICK,
    "image_size": 8,
    "eval_resize": 8,
    "augmentation": "pad_crop",
    "pad_pixels": 1,
}
# Few enough images to be learnt whole, so that an optimiser that fails is seen.
_FASHION_2000 = {
    **_QUICK,
    "image_size": 14,
    "eval_resize": 14,
    "augmentation": "none",
    "train_examples": 2000,
}


def _printed(variant, place):
    """What the papers print of a network on CIFAR-10; "" for nothing."""
    return papers.find(papers.CIFAR_10, variant, place)[0] or ""


def _steps(steps):
    """Fields of a schedule of so many iterations."""
    return {
        "steps": steps,
        "boundaries": (steps * 3 // 5, steps * 9 // 10),
        "eval_every_steps": steps // 10,
        "checkpoint_every_steps": steps // 5,
    }


_SMALL_IMAGES = (
    "the quick scale shrinks images to 8 (digits) and 14 (Fashion-MNIST) "
    "pixels, so that the last stage has maps of 2x2 and 4x4, and takes 2,000 "
    "training images of Fashion-MNIST, evenly spaced, as they are"
)
_AUGMENTED = (
    "training error is that of all iterations since the evaluation before, on "
    "the images that they saw and while the weights changed; P1 does not say"
)

_DEGRADATION = Experiment(
    title="Degradation",
    question="Do deeper networks get worse on the images they are trained on?",
    source="P1 Fig. 6, Table 6",
    rows={
        **{
            f"plain-{depth}": Row(
                variant=f"plainnet{depth}",
                paper=_printed(f"plainnet{depth}", "P1 sec. 4.2"),
                panel="plain",
            )
            for depth in (20, 32, 44, 56, 110)
        },
        **{
            f"ResNet-{depth}": Row(
                variant=f"resnet{depth}",
                paper=_printed(f"resnet{depth}", "P1 Table 6"),
                panel="residual",
                overrides=_WARM if depth == 110 else {},
            )
            for depth in (20, 32, 44, 56, 110)
        },
    },
    settings={
        "quick": {
            "digits": Setting(
                recipe={**_DIGITS, **_steps(2000), "augmentation": "none"},
                rows=("plain-20", "plain-56", "ResNet-20", "ResNet-56"),
            ),
            "fashion_mnist": Setting(
                recipe={**_FASHION_2000, **_steps(2000)},
                rows=("plain-20", "plain-56", "ResNet-20", "ResNet-56"),
            ),
        },
        "full": _FULL,
    },
    silent=(
        _AUGMENTED,
        _SMALL_IMAGES,
        "P1 plots plain-20 to 56 without figures; plain-110 is in the text",
    ),
)

_OPTIONS = Experiment(
    title="Shortcut options A, B and C",
    question="Does it matter how a shortcut changes its shape?",
    source="P1 Table 3",
    unit="10-crop top-1 error of ResNet-34 on ImageNet, %",
    rows={
        option: Row(
            variant="resnet56",
            paper=papers.TEN_CROPS["P1 Table 3"][variant][0],
            overrides={"shortcut": option},
        )
        for option, variant in (
            ("A", "resnet34_a"),
            ("B", "resnet34"),
            ("C", "resnet34_c"),
        )
    },
    settings={
        "quick": {
            "digits": Setting(recipe={**_DIGITS, **_steps(600)}),
            "fashion_mnist": Setting(recipe={**_FASHION_2000, **_steps(2000)}),
        },
        "full": _FULL,
    },
    silent=(
        "P1 compares them on ImageNet (experiment imagenet); here in a "
        "ResNet-56",
        _SMALL_IMAGES,
    ),
)

# Of P2's networks of 110 and 164 layers.
_SETTINGS_2016 = {
    "quick": {
        "digits": Setting(recipe={**_DIGITS, **_steps(600), **_WARM_QUICK}),
        "fashion_mnist": Setting(
            recipe={**_FASHION_2000, **_steps(2000), **_WARM_QUICK}
        ),
    },
    "full": _FULL_2016,
}

# Panel -> {row: variant}.
_TABLE_1 = {
    "scaled, dropped": {
        "identity": "resnet110",
        "none": "plainnet110",
        "constant_scaling_0.5_1": "resnet110_constant_scaling_branch_1",
        "constant_scaling_0.5_0.5": "resnet110_constant_scaling",
        "dropout_0.5": "resnet110_dropout",
    },
    "gated, convolved": {
        "exclusive_gating_0": "resnet110_exclusive_gating_bias_0",
        "exclusive_gating_-5": "resnet110_exclusive_gating_bias_minus_5",
        "exclusive_gating_-6": "resnet110_exclusive_gating",
        "exclusive_gating_-7": "resnet110_exclusive_gating_bias_minus_7",
        "shortcut_only_gating_0": "resnet110_shortcut_only_gating_bias_0",
        "shortcut_only_gating_-6": "resnet110_shortcut_only_gating",
        "conv1x1": "resnet110_conv1x1",
    },
}

_SHORTCUTS = Experiment(
    title="Identity against other shortcuts",
    question="What happens when anything multiplies the shortcut?",
    source="P2 Table 1, ResNet-110",
    rows={
        name: Row(
            variant=variant,
            paper=_printed(variant, "P2 Table 1"),
            panel=panel,
        )
        for panel, names in _TABLE_1.items()
        for name, variant in names.items()
    },
    settings=_SETTINGS_2016,
    silent=(
        "the gate is a 1x1 convolution with bias and a sigmoid, without BN, "
        "which would cancel the bias; where shapes change it scales option A",
        "dropout keeps the expectation 0.5 that P2 argues with",
        _SMALL_IMAGES,
    ),
)


_PLACES = {
    "original": "",
    "bn_after_addition": "_bn_after_add",
    "relu_before_addition": "_relu_before_add",
    "relu_only_preactivation": "_relu_preact",
    "full_preactivation": "_v2",
}

_PLACEMENTS = Experiment(
    title="Placements of BN and ReLU",
    question="Does it matter what follows the addition?",
    source="P2 Table 2",
    rows={
        f"{name}_{depth}": Row(
            variant=f"resnet{depth}{placement}",
            paper=_printed(f"resnet{depth}{placement}", "P2 Table 2"),
            panel=f"{depth} layers",
        )
        for depth in (110, 164)
        for name, placement in _PLACES.items()
    },
    settings=_SETTINGS_2016,
    silent=(
        "the stem owns the first activation, and what the next unit would "
        "have applied ends the network (P2's appendix, read for every row)",
        _SMALL_IMAGES,
    ),
)

_PREACTIVATION = Experiment(
    title="Original against pre-activation",
    question="Does pre-activation help more the deeper the network is?",
    source="P2 Table 3",
    rows={
        f"{name}_{depth}": Row(
            variant=f"resnet{depth}{suffix}",
            paper=_printed(f"resnet{depth}{suffix}", "P2 Table 3"),
            panel=name,
        )
        for depth in ("110_one_layer", "110", "164", "1001")
        for name, suffix in (("original", ""), ("preactivation", "_v2"))
    },
    settings={
        "quick": {
            "digits": Setting(
                recipe={**_DIGITS, **_steps(600), **_WARM_QUICK},
                rows=tuple(
                    f"{name}_{depth}"
                    for depth in ("110_one_layer", "110", "164")
                    for name in ("original", "preactivation")
                ),
            ),
        },
        "full": _FULL_2016,
    },
    silent=("the warm-up of 400 iterations is every row's", _SMALL_IMAGES),
)

_WARMUP = Experiment(
    title="Warm-up",
    question="Do 110 and 1202 layers need a start at 0.01?",
    source="P1 sec. 4.2",
    unit="test error on CIFAR-10 (with the warm-up), %",
    rows={
        f"ResNet-{depth}_{name}": Row(
            variant=f"resnet{depth}",
            paper=paper and _printed(f"resnet{depth}", "P1 Table 6"),
            panel=f"ResNet-{depth}",
            overrides=overrides,
        )
        for depth in (110, 1202)
        for name, overrides, paper in (
            ("warmup", _WARM, "printed"),
            ("none", {"warmup_steps": 0}, ""),
        )
    },
    settings={
        "quick": {
            "digits": Setting(
                recipe={**_DIGITS, **_steps(600)},
                rows=("ResNet-110_warmup", "ResNet-110_none"),
            ),
        },
        "full": _FULL,
    },
    silent=(
        "P1 says that 0.1 'is slightly too large to start converging' and "
        "prints no figure for a run without",
        _SMALL_IMAGES,
    ),
)

# Of the sum over the run of rate * decay / (1 - momentum), the papers' 3.4.
_DECAY = {"quick": {"weight_decay": 5.4e-3}, "full": {}}

_RESPONSES = Experiment(
    title="Responses of layers",
    question="Do residual layers change their input less than plain ones?",
    source="P1 Fig. 7",
    rows={
        name: row
        for name, row in _DEGRADATION.rows.items()
        if name.endswith(("-20", "-56", "-110"))
    },
    settings={
        scale: {
            dataset: setting._replace(
                seeds=1, recipe={**setting.recipe, **_DECAY[scale]}
            )
            for dataset, setting in settings.items()
        }
        for scale, settings in _DEGRADATION.settings.items()
    },
    silent=(
        "BN uses its moving statistics; P1 does not say",
        "on the first 1,000 images of the test set, at most",
        "BN's scales start at 1 and shrink by weight decay unless they are "
        "needed: in the papers' 64,000 iterations to 0.03. The quick scale "
        "has 2,000 and decays 54 times as much, so that it sums up to the same",
        _SMALL_IMAGES,
    ),
    module="responses",
)

_PROPAGATION = Experiment(
    title="What reaches each unit",
    question="How much of the loss's gradient comes back to the first unit?",
    source="P2 eqs. 5 and 8",
    rows={
        name: Row(
            variant="resnet110",
            overrides={"shortcut": shortcut, "placement": placement},
        )
        for name, shortcut, placement in (
            ("identity", "A", "full_preact"),
            ("identity_original", "A", "original"),
            ("scaled_0.5_1", "constant_scaling_branch_1", "full_preact"),
            ("scaled_0.5_0.5", "constant_scaling", "full_preact"),
            ("plain", "none", "full_preact"),
        )
    },
    settings={
        "quick": {"digits": Setting(recipe=_DIGITS, seeds=1)},
        "full": {
            dataset: setting._replace(seeds=1)
            for dataset, setting in _FULL.items()
        },
    },
    silent=(
        "norms over one batch of 128 training images, BN with its statistics; "
        "trained for 50 and 200 iterations at the full rate",
        "where shapes change option A takes every other pixel of the "
        "pre-activated input; the product of lambdas counts such a unit as "
        "the others",
        "all networks are pre-activated, but identity_original",
    ),
    module="propagation",
)

EXPERIMENTS = types.MappingProxyType(
    {
        "degradation": _DEGRADATION,
        "options": _OPTIONS,
        "shortcuts": _SHORTCUTS,
        "placements": _PLACEMENTS,
        "preactivation": _PREACTIVATION,
        "warmup": _WARMUP,
        "responses": _RESPONSES,
        "propagation": _PROPAGATION,
        "imagenet": IMAGENET,
        "costs": COSTS,
        "remat": REMAT,
    }
)
