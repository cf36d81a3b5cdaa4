"""Experiments that answer what readers of the papers ask, as data.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

from reproduction.identity_rows import PREACTIVATION
from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting
from reproduction.scales import AUGMENTED
from reproduction.scales import DIGITS
from reproduction.scales import FASHION_2000
from reproduction.scales import SMALL_IMAGES
from reproduction.scales import WARM_QUICK
from reproduction.scales import schedule_of
from reproduction.training_rows import DEGRADATION

_NETWORKS = ("plain-20", "plain-56", "ResNet-20", "ResNet-56")
_COMPARED = {name: DEGRADATION.rows[name] for name in _NETWORKS}

CONVERGENCE = Experiment(
    title="Speed of learning",
    question="Do residual networks learn faster?",
    source="P1 sec. 4.1: 'converges faster at the early stage'",
    answer="Yes, at either depth. On the digits ResNet-20 errs on less than "
    "5 % of the training images after 50 to 75 iterations, plain-20 after 125; "
    "ResNet-56 after 100 to 250, plain-56 never. On Fashion-MNIST the tables "
    "of [degradation](#degradation) say as much; the finer steps have not been "
    "run there.",
    rows=_COMPARED,
    settings={
        "quick": {
            dataset: setting._replace(
                recipe={
                    **setting.recipe,
                    "steps": steps,
                    "boundaries": (),
                    "eval_every_steps": 25,
                }
            )
            for (dataset, setting), steps in zip(
                DEGRADATION.settings["quick"].items(), (600, 1200), strict=True
            )
        }
    },
    silent=(
        "the first iterations of degradation, at its first rate: 600 on the "
        "digits, 1,200 on Fashion-MNIST",
        "iterations to a training error of 5 % stand in every table; here "
        "they are known to 25 iterations, elsewhere to a tenth of the run",
        AUGMENTED,
    ),
)

_TRAINED = {
    "quick": {
        "digits": Setting(
            recipe={
                **DIGITS,
                **schedule_of(600),
                "augmentation": "none",
                "learning_rate": 0.02,
            }
        )
    }
}
LESION = Experiment(
    title="Units taken out of trained networks",
    question="Is a residual network an ensemble of paths?",
    source="none in the papers; Veit et al. 2016, arXiv 1605.06431",
    answer="It behaves like one: ResNet-56 does without any unit but the first "
    "and gets worse step by step as more go; a plain network without one of "
    "its units guesses.",
    rows=_COMPARED,
    settings=_TRAINED,
    silent=(
        "a rate of 0.02; the networks are those of degradation",
        "a unit of one shape is replaced by its input, with BN's moving "
        "averages as they are; units that change the shape stay. A plain "
        "network's unit is the same two layers without the shortcut",
        "several at random: five draws for each seed, of each seed the median",
    ),
    module="lesion",
)

LANDSCAPE = Experiment(
    title="The shape of the loss",
    question="Does the shortcut make the loss more convex?",
    source="none in the papers; Li et al. 2017, arXiv 1712.09913",
    answer="Not that we can show. ResNet-56 lies in a wide bowl, plain-56 in a "
    "small hollow of a plateau where a network guesses (ln 10 = 2.3), and its "
    "most negative curvature is a greater part of its greatest one, 0.09 "
    "against 0.02. But plain-20, which learns equally well, has a bowl too, "
    "and 0.03: the shape goes with how well a network has learnt.",
    rows={
        name: DEGRADATION.rows[name]
        for name in ("plain-20", "plain-56", "ResNet-56")
    },
    settings=_TRAINED,
    silent=(
        "the networks are those of lesion. The loss is that of 256 training "
        "images, BN with their statistics, on 25 x 25 places of a plane of two "
        "random directions, each filter of which has the norm of its own; and "
        "the ends of the Hessian's spectrum after 40 steps of Lanczos' method",
        "the Hessian leaves out the kinks of ReLUs",
        "a negative eigenvalue is a direction in which the loss is not convex; "
        "a plane of two directions among a million shows little of it",
    ),
    module="landscape",
)

_SUMS_QUICK = {**DIGITS, **schedule_of(200), "learning_rate": 0.02}
SUM_OR_PRODUCT = Experiment(
    title="A sum or a product",
    question="Why is a sum better than a product in backpropagation, and "
    "could P2 eq. 5's gradient vanish?",
    source="P2 eqs. 4 and 5",
    answer="A sum has a direct term that no depth takes away, and F's term "
    "does not cancel it: cosines are near 0, and mostly above it after "
    "training. A product over 110 plain units grows before training and "
    "vanishes after it; over 56 it does not vanish, and that network learns "
    "badly all the same.",
    rows={
        f"{name}-{depth}": Row(
            variant=variant.format(depth),
            overrides={"shortcut": shortcut, "placement": "full_preact"},
        )
        for name, variant, shortcut in (
            ("plain", "plainnet{}", "none"),
            ("ResNet", "resnet{}", "A"),
        )
        for depth in (20, 56, 110)
    },
    settings={"quick": {"digits": Setting(recipe=_SUMS_QUICK)}},
    silent=(
        "all networks are pre-activated, so that a unit's direct term is the "
        "gradient behind it and F's is the rest; 128 training images, BN with "
        "their statistics; trained for 200 iterations at 0.02",
        "units that change the shape are left out, of the product too",
        "the sum vanishes only where the F term is the direct one's negative: "
        "a cosine of -1 and equal norms, for all images at once (P2 sec. 2)",
        "singular values are of the Jacobian of one image's output of the "
        "last unit by its own input, with 8 others beside it for BN",
        "neighbours are of 64 images on a line between two; a cosine near 0 "
        "is a gradient that is noise (Balduzzi et al. 2017, arXiv 1702.08591)",
    ),
    module="sums",
)

_LATE = {**DIGITS, **schedule_of(600), **WARM_QUICK, "learning_rate": 0.02}
OVERFITTING = Experiment(
    title="Depth on little data",
    question="Do more than 1000 layers learn little data by heart, and err "
    "on other images?",
    source="P1 sec. 4.2, 1202 layers",
    answer="Pre-activated ones do. Of 180 digits 1202 layers err on 0.16 %, "
    "and of the test digits on 9.75 and 11.42 % (two seeds), where 20 layers "
    "err on 6.13 %: that is worse, and 10.31 % with 110 layers is not told "
    "apart from either. Of 1,438 they err on 3.41 %, and on 4.18 and 4.46 % of "
    "the test digits, which is not told apart from 20 layers. With the "
    "original placement 1202 layers do not learn in 600 iterations at 0.02 "
    "(one seed); up to 110 depth makes no difference. Stochastic depth does "
    "not help 110 layers: with 180 digits it is not told apart, with 1,438 it "
    "is worse in that time.",
    rows={
        f"ResNet-{depth}_{number}{name}": Row(
            variant=f"resnet{depth}",
            panel=f"{number} training images, {kind}",
            overrides={"train_examples": number, **fields},
        )
        for number in (180, 1438)
        for name, kind, fields, depths in (
            ("", "original", {}, (20, 56, 110, 1202)),
            ("_dropped", "original", {"stochastic_depth": 0.5}, (110,)),
            (
                "_v2",
                "pre-activated",
                {"placement": "full_preact"},
                (20, 110, 1202),
            ),
        )
        for depth in depths
    },
    settings={"quick": {"digits": Setting(recipe=_LATE)}},
    silent=(
        "a rate of 0.02 with a warm-up of 50 iterations",
        "_v2 is pre-activated; _dropped has stochastic depth: a unit loses its "
        "branch with a probability that grows to 0.5 at the last one (Huang et "
        "al. 2016, arXiv 1603.09382, which trains 110 and 1202 layers so)",
        SMALL_IMAGES,
    ),
)

THOUSAND = Experiment(
    title="A thousand layers",
    question="Does pre-activation train what the original placement cannot?",
    source="P2 Fig. 1, Table 3",
    answer="In 600 iterations, yes: the pre-activated network comes to 2.8 % "
    "of training errors, the original one to 53.3 %. Its error does not move "
    "for 180 iterations, which is what P2 sec. 4.1 says of it: 'reduced very "
    "slowly at the beginning of training'. In the paper's 64,000 both learn. "
    "One seed, one rate.",
    rows={
        name: PREACTIVATION.rows[name]
        for name in ("original_1001", "preactivation_1001")
    },
    settings={"quick": {"digits": Setting(recipe=_LATE, seeds=1)}},
    silent=(
        "a rate of 0.02 with a warm-up of 50 iterations",
        "one seed: a run takes 25 minutes on one core",
        SMALL_IMAGES,
    ),
)

# Srivastava et al. 2015, arXiv 1505.00387: a gate for each layer, which opens
# with its bias.
_HIGHWAY = {
    "block": "one_layer",
    "shortcut": "exclusive_gating_bias_minus_5",
    "placement": "original",
}
HIGHWAY = Experiment(
    title="Highway networks",
    question="What does a gate on every layer cost beside an identity?",
    source="P1 sec. 2, P2 sec. 3.1; Srivastava et al. 2015, arXiv 1505.00387",
    answer="Time, and 11 % more parameters. Gates, too, let 56 layers learn "
    "what plain ones do not: the digits by heart, Fashion-MNIST to a training "
    "error of 2.03 %, where plain-56 has 20.95 %. They take 1,400 iterations "
    "to 5 %, ResNet-56 800 to 1,000. On the test images of Fashion-MNIST "
    "Highway-20 is worse than ResNet-20, 18.51 % against 16.49 %; with 56 "
    "layers, and on the digits, they are not told apart.",
    rows={
        **_COMPARED,
        **{
            f"Highway-{depth}": Row(
                variant=f"resnet{depth}",
                overrides={**_HIGHWAY, "depths": ((depth - 2) // 3,) * 3},
            )
            for depth in (20, 56)
        },
    },
    settings={
        "quick": {
            "digits": DEGRADATION.settings["quick"]["digits"],
            "fashion_mnist": Setting(
                recipe={**FASHION_2000, **schedule_of(2000)}
            ),
        }
    },
    silent=(
        "a gate g = sigmoid(W x + b) takes (1 - g) x + g F(x), over one layer "
        "each; b starts at -5. Where it closes the shortcut, x is gone: such "
        "layers are 'non-residual functions' (P1 sec. 2), which an identity "
        "can never be",
        "the networks of two layers a gate are the rows `exclusive_gating` "
        "of shortcuts",
    ),
)

GATES = Experiment(
    title="Gates that do not open",
    question="Why does a gate on both paths need a high rate?",
    source="P2 sec. 3.1, 'exclusive gating'",
    answer="It closes F, too. With b = -6 it lets 0.4 % of F pass. After 600 "
    "iterations at 0.02 it is 0.6 %, and the network errs on half of the test "
    "digits; at 0.05 it is 7.6 %, and the network learns. The same gate on the "
    "shortcut alone leaves F whole, and learns at both rates.",
    rows={
        f"{name} at {rate}": Row(
            variant=variant,
            overrides={"learning_rate": rate, "warmup_learning_rate": rate / 5},
        )
        for name, variant in (
            ("exclusive -6", "resnet110_exclusive_gating"),
            ("shortcut-only -6", "resnet110_shortcut_only_gating"),
        )
        for rate in (0.02, 0.05)
    },
    settings={"quick": {"digits": Setting(recipe=_LATE)}},
    silent=(
        "means over 128 training images; before training BN uses their "
        "statistics, afterwards its moving averages",
        "what is left of x is the product of the units' means of 1 - g: exact "
        "where g is alike everywhere, which it is not",
        "a shortcut-only gate does not multiply F",
    ),
    module="gates",
)
