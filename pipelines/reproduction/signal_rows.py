"""Experiments on what passes through a network, as data.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting
from reproduction.scales import DIGITS
from reproduction.scales import FULL
from reproduction.scales import SMALL_IMAGES
from reproduction.training_rows import DEGRADATION

# Of the sum over the run of rate * decay / (1 - momentum), the papers' 3.4.
_DECAY = {"quick": {"weight_decay": 5.4e-3}, "full": {}}

RESPONSES = Experiment(
    title="Responses of layers",
    question="Do residual layers change their input less than plain ones?",
    source="P1 Fig. 7",
    rows={
        name: row
        for name, row in DEGRADATION.rows.items()
        if name.endswith(("-20", "-56", "-110"))
    },
    settings={
        scale: {
            dataset: setting._replace(
                seeds=1, recipe={**setting.recipe, **decay}
            )
            for dataset, setting in DEGRADATION.settings[scale].items()
        }
        for scale, decay in _DECAY.items()
    },
    silent=(
        "BN uses its moving statistics; P1 does not say",
        "one seed. Medians fall with depth, as P1 says of all layers; the "
        "greatest responses here do not",
        "on the first 1,000 images of the test set, at most",
        "weight decay pushes F to 0 through BN's scales alone: what a "
        "convolution before BN is multiplied by, BN takes out again. These "
        "scales start at 1 and shrink by weight decay unless they are "
        "needed: in the papers' 64,000 iterations to 0.03. The quick scale "
        "has 2,000 and decays 54 times as much, so that it sums up to the same",
        SMALL_IMAGES,
    ),
    module="responses",
)

PROPAGATION = Experiment(
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
        "quick": {"digits": Setting(recipe=DIGITS, seeds=1)},
        "full": {
            dataset: setting._replace(seeds=1)
            for dataset, setting in FULL.items()
        },
    },
    silent=(
        "norms over one batch of 128 training images, BN with its statistics; "
        "trained for 50 and 200 iterations at the full rate",
        "where shapes change option A takes every other pixel of the "
        "pre-activated input; the product of lambdas counts such a unit as "
        "the others",
        "all networks are pre-activated, but identity_original",
        "ratios and pictures begin at x_1, the output of the first unit: the "
        "norm at its input, x_0, lies up to five powers of ten above its "
        "neighbour's. Why is not known",
        "one seed",
    ),
    module="propagation",
)
