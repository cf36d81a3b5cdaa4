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

_SETTING = Setting(
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
    settings={"quick": {"digits": _SETTING}},
    module="backbone",
)
BACKBONE_RATES = Experiment(
    title="Rates of the backbone at work",
    question="Which rate does each network of `backbone` train best at?",
    source="none in the papers",
    rows={
        f"{name} at {rate}": _row(name, rate) for name in BEST for rate in RATES
    },
    settings={"quick": {"digits": _SETTING._replace(seeds=1)}},
    module="backbone",
)
