"""Detection and segmentation with plain and residual features, as data.

P1 is He et al. 2015, arXiv 1512.03385.
"""

from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting

NETWORKS = {"plain-34": "plainnet34", "ResNet-34": "resnet34"}
TASKS = {"detect": "detect_digits", "segment": "segment_digits"}
RATES = (0.0125, 0.05, 0.2)
# The best of them by the records of BACKBONE_RATES.
BEST = {
    "detect plain-34": 0.05,
    "detect ResNet-34": 0.05,
    "segment plain-34": 0.05,
    "segment ResNet-34": 0.05,
}

SETTING = Setting(
    recipe={
        "filters": (16, 32, 64, 128),
        "image_size": 64,
        "eval_resize": 64,
        "augmentation": "none",
        "train_examples": 3200,
        "batch_size": 32,
        "steps": 400,
        "weight_decay": 0.0,
        "checkpoint_every_steps": 400,
        "eval_every_steps": 400,
    }
)


def _row(name, rate):
    variant = NETWORKS[name.split()[1]]
    return Row(variant=variant, overrides={"learning_rate": rate})


BACKBONE = Experiment(
    title="The backbone at work",
    question="Do residual features detect and segment better than plain ones?",
    source="P1 sec. 4.3, on PASCAL VOC and COCO",
    rows={name: _row(name, rate) for name, rate in BEST.items()},
    settings={"quick": {"digits": SETTING}},
    silent=(
        "`docs/examples/detect_digits.py` is a CenterNet and "
        "`segment_digits.py` says the class of each pixel, both from C2 to C5 "
        "added up from the coarsest on. The networks have a quarter of the "
        "published filters and random initial weights",
        "what both find with a ResNet-34 in eight test scenes: "
        "![boxes](examples/detect_digits.png) "
        "![masks](examples/segment_digits.png)",
        "a scene has 64 x 64 pixels and 1 to 4 digits of 14 to 28 pixels on a "
        "noisy background. Training digits, 1,438, are in the 3,200 scenes "
        "that are trained on, others with each seed; test digits, 359, in the "
        "500 that are scored, always the same",
        "SGD with a momentum of 0.9, a rate that falls to 0 as a cosine, "
        "gradients clipped to a norm of 5 and no weight decay: the schedule of "
        "the recipes in the records is not used",
        "each network trains at its best rate of three, by backbone_rates, "
        "which knows no test digit; all else is alike",
        "a sampling error is a standard error, from tenths of the test scenes "
        "that have no digit in common; a gain's is from the gains of the "
        "tenths. Features are better where the gain is above twice that with "
        "each seed",
        "P1 has no plain network here: it replaces VGG-16 by ResNet-101. Why "
        "these networks differ was not tested, nor whether plain ones catch up "
        "in more steps",
    ),
    module="backbone",
)
BACKBONE_RATES = Experiment(
    title="Rates of the backbone at work",
    question="Which rate does each network of `backbone` train best at?",
    source="none in the papers",
    rows={
        f"{name} at {rate}": _row(name, rate) for name in BEST for rate in RATES
    },
    settings={"quick": {"digits": SETTING._replace(seeds=1)}},
    silent=(
        "as `backbone`, but the scenes that are scored are of every fifth "
        "training digit, and those that are trained on of the other four",
    ),
    module="backbone",
)
