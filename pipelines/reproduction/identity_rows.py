"""P2's experiments that train networks by its schedule, as data.

P2 is He et al. 2016, arXiv 1603.05027.
"""

from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting
from reproduction.scales import DIGITS
from reproduction.scales import FASHION_2000
from reproduction.scales import FULL_2016
from reproduction.scales import ONE_RATE
from reproduction.scales import SMALL_IMAGES
from reproduction.scales import WARM_QUICK
from reproduction.scales import at_each_rate
from reproduction.scales import printed
from reproduction.scales import schedule_of

# Of P2's networks of 110 and 164 layers.
_QUICK_2016 = {
    "digits": Setting(recipe={**DIGITS, **schedule_of(600), **WARM_QUICK}),
    "fashion_mnist": Setting(
        recipe={**FASHION_2000, **schedule_of(2000), **WARM_QUICK}
    ),
}
_SETTINGS_2016 = {
    "quick": _QUICK_2016,
    "rates": at_each_rate(_QUICK_2016),
    "full": FULL_2016,
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

SHORTCUTS = Experiment(
    title="Identity against other shortcuts",
    question="What happens when anything multiplies the shortcut?",
    source="P2 Table 1, ResNet-110",
    reference="identity",
    answer="It errs on more, at each row's best of four rates, as the paper "
    "says: the identity on 1.11 % of the digits, a gate on the shortcut alone "
    "on 3.06 %, gates on both paths on 3.62, 4.74 and 8.91 %. With each seed "
    "the last two are worse by more than twice the sampling error, the others "
    "are not told apart. One rate for all, 0.05, says the reverse: "
    "[gates](#gates) shows why. No shortcut, scaled, dropped, half closed and "
    "convolved ones err on over 70 % at each of the rates in 600 iterations, "
    "but for one seed of conv1x1.",
    rows={
        name: Row(
            variant=variant,
            paper=printed(variant, "P2 Table 1"),
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
        "gates read x, so that their bias does not bound them: before training "
        "g of exclusive_gating_-5 reaches 0.69 and is above sigmoid(-5) = "
        "0.007 in half of all places, that of shortcut_only_gating_-6 "
        "reaches 1.00",
        "the gated rows are Highway networks (Srivastava et al. 2015, arXiv "
        "1505.00387) of two layers a gate, see experiment highway",
        "constant_scaling_0.5_0.5, shortcut_only_gating_0 and conv1x1 fail in "
        "600 iterations at each rate and not in the paper's 64,000; "
        "exclusive_gating_-5 fails in the paper and not here: why is not known",
        ONE_RATE,
        SMALL_IMAGES,
    ),
)


_PLACES = {
    "original": "",
    "bn_after_addition": "_bn_after_add",
    "relu_before_addition": "_relu_before_add",
    "relu_only_preactivation": "_relu_preact",
    "full_preactivation": "_v2",
}

PLACEMENTS = Experiment(
    title="Placements of BN and ReLU",
    question="Does it matter what follows the addition?",
    source="P2 Table 2",
    answer="With 110 layers the original, ReLU-only and full pre-activation "
    "err on 1.11, 1.39 and 1.11 % at each one's best rate, which is no "
    "difference; the paper has the first and the last 0.24 points apart. Full "
    "pre-activation bears 0.05, where the original errs on 9.19 %. With 164 "
    "layers it is better: it errs on 1.95 %, the original on 5.29 %. ReLU "
    "before the addition is worse at both depths, BN after it with 110 "
    "layers. With 1001 layers, [thousand](#thousand), full pre-activation "
    "learns where the original starts late.",
    rows={
        f"{name}_{depth}": Row(
            variant=f"resnet{depth}{placement}",
            paper=printed(f"resnet{depth}{placement}", "P2 Table 2"),
            panel=f"{depth} layers",
        )
        for depth in (110, 164)
        for name, placement in _PLACES.items()
    },
    settings=_SETTINGS_2016,
    silent=(
        "the stem owns the first activation, and what the next unit would "
        "have applied ends the network (P2's appendix, read for every row)",
        "BN after the addition fails with 110 layers at each rate, and is not "
        "told apart from the original with 164; in P2 it is behind by 1.56 and "
        "0.57 points: why is not known",
        ONE_RATE,
        SMALL_IMAGES,
    ),
)

# {as rows name it: title of a panel}.
_DEPTHS = {
    "110_one_layer": "110 layers, one a unit",
    "110": "110 layers",
    "164": "164 layers",
    "1001": "1001 layers",
}
_QUICK_PREACTIVATION = {
    "digits": _QUICK_2016["digits"]._replace(
        rows=tuple(
            f"{name}_{depth}"
            for depth in ("110_one_layer", "110", "164")
            for name in ("original", "preactivation")
        )
    )
}
PREACTIVATION = Experiment(
    title="Original against pre-activation",
    question="Does pre-activation help more the deeper the network is?",
    source="P2 Table 3",
    answer="Yes. At each one's best rate the two are not told apart with 110 "
    "layers, 1.11 % both, nor with one layer a unit, 2.23 and 1.67 %. With 164 "
    "layers pre-activation is better, 1.95 % against 5.29 %; with 1001, "
    "[thousand](#thousand), it learns where the original starts late.",
    rows={
        f"{name}_{depth}": Row(
            variant=f"resnet{depth}{suffix}",
            paper=printed(f"resnet{depth}{suffix}", "P2 Table 3"),
            panel=_DEPTHS[depth],
        )
        for depth in _DEPTHS
        for name, suffix in (("original", ""), ("preactivation", "_v2"))
    },
    settings={
        "quick": _QUICK_PREACTIVATION,
        "rates": at_each_rate(_QUICK_PREACTIVATION),
        "full": FULL_2016,
    },
    silent=(
        "the warm-up of 400 iterations is every row's",
        ONE_RATE,
        SMALL_IMAGES,
    ),
)
