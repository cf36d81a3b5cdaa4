"""What came after the papers, a piece at a time, as data."""

from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting
from reproduction.scales import AUGMENTED
from reproduction.scales import DIGITS
from reproduction.scales import FASHION_2000
from reproduction.scales import SMALL_IMAGES
from reproduction.scales import schedule_of

# {piece: fields in place of the papers'}; at most what torchvision's second
# recipe has (`recipes.modern`), scaled to short runs.
_PIECES = {
    "cosine": {
        "schedule": "cosine",
        "warmup": "linear",
        "warmup_steps": 30,
        "warmup_learning_rate": 0.0005,
    },
    "label_smoothing": {"label_smoothing": 0.1},
    "mixup": {"mixup_alpha": 0.2},
    "cutmix": {"cutmix_alpha": 1.0},
    "trivial_augment": {"policy": "trivial_augment"},
    "erasing": {"erasing": 0.1},
    "moving_average": {"ema_momentum": 0.98},
    "stochastic_depth": {"stochastic_depth": 0.05},
    "zero_gamma": {"zero_gamma": True},
    "decay_of_kernels": {"decay": "kernels"},
    "repeated": {"repeated_augmentation": 4},
}
_ADAMW = {"optimizer": "adamw", "learning_rate": 0.002, "weight_decay": 0.05}
_BINARY = {"loss": "binary", "learning_rate": 0.2}
_ALL = {
    field: value
    for fields in _PIECES.values()
    for field, value in fields.items()
}

_PANELS = {
    "images and labels": (
        *("label_smoothing", "mixup", "cutmix"),
        *("trivial_augment", "erasing", "repeated"),
    ),
    "optimiser and all": ("adamw", "binary", "all", "all_adamw"),
}


def _panel(name):
    for panel, names in _PANELS.items():
        if name in names:
            return panel
    return "network and rate"


LATER = Experiment(
    title="Later practice",
    question="What do the pieces of modern recipes give on little data in a "
    "short run?",
    source="none in the papers; torchvision's second recipe (2021) and "
    "'ResNet strikes back' (Wightman et al. 2021, arXiv 2110.00476)",
    unit="none",
    reference="papers",
    rows={
        "papers": Row(variant="resnet20", panel="network and rate"),
        **{
            name: Row(variant="resnet20", overrides=fields, panel=_panel(name))
            for name, fields in {
                **_PIECES,
                "adamw": _ADAMW,
                "binary": _BINARY,
                "all": _ALL,
                "all_adamw": {**_ALL, **_ADAMW},
            }.items()
        },
    },
    settings={
        "quick": {
            "digits": Setting(recipe={**DIGITS, **schedule_of(600)}),
            "fashion_mnist": Setting(
                recipe={
                    **FASHION_2000,
                    **schedule_of(1000),
                    "augmentation": "cifar",
                    "pad_pixels": 2,
                }
            ),
        }
    },
    silent=(
        "one piece at a time in place of the papers', and all of `_PIECES` "
        "together (file later_rows.py has each value); iterations and images "
        "are the same for all rows, and no value was tuned",
        "AdamW at 0.002 and a decay of 0.05; the binary loss at 0.2, because "
        "its mean over ten classes has gradients of a tenth",
        "such recipes were made for hundreds of epochs: what they give in a "
        "short run says little of a long one",
        "the seconds of Fashion-MNIST hold pauses and other work beside the "
        "runs: they compare nothing",
        AUGMENTED,
        SMALL_IMAGES,
    ),
)
