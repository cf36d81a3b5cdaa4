"""P1 Tables 2 to 5 and P2 Table 5 as data: networks, views, printed errors.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

import dataclasses

from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting

from keras_resnet import recipes
from keras_resnet.networks import papers


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a table: what a network errs, looked at in one way.

    Attributes:
        row: key of `ROWS`.
        view: key of `imagenet.VIEWS`.
        top1, top5: per cent, as printed; "" for what is not.
    """

    row: str
    view: str
    top1: str = ""
    top5: str = ""


# Row -> (recipe, panel). Ensembles are not trained: their recipes say of which
# data they are.
_ROWS = {
    "plain-18": ("imagenet_plainnet18", "plain"),
    "plain-34": ("imagenet_plainnet34", "plain"),
    "ResNet-18_A": ("imagenet_resnet18_a", "ResNet, A"),
    "ResNet-34_A": ("imagenet_resnet34_a", "ResNet, A"),
    "ResNet-34_B": ("imagenet_resnet34", "ResNet, B, C"),
    "ResNet-34_C": ("imagenet_resnet34_c", "ResNet, B, C"),
    "ResNet-50": ("imagenet_resnet50", "ResNet, B, C"),
    "ResNet-101": ("imagenet_resnet101", "ResNet, B, C"),
    "ResNet-152": ("imagenet_resnet152", "ResNet, B, C"),
    "ResNet-101_bn_after_addition": ("imagenet_resnet101_bn_after_add", "2016"),
    "ResNet-152_preactivation": ("imagenet_resnet152_v2", "2016"),
    "ResNet-200": ("imagenet_resnet200", "2016"),
    "ResNet-200_preactivation": ("imagenet_resnet200_v2", "2016"),
    "ResNet-200_preactivation_area": ("imagenet_resnet200_v2_area", "2016"),
    "ensemble_of_6": ("imagenet_resnet152", ""),
    "ensemble_of_18": ("imagenet_resnet18_a", ""),
}


def _lines(view, place, *rows):
    """Lines of one view, with what is printed at one place."""
    tables = {
        "ten_crop": papers.TEN_CROPS,
        "multi_scale": papers.MULTI_SCALE,
        "center": papers.ONE_CROP,
        "center_320": papers.ONE_CROP_OF_320,
    }
    figures = tables[view].get(place, {})
    return tuple(
        Line(row, view, *figures.get(_variant(row), ())) for row in rows
    )


def _variant(row):
    if row == "ensemble_of_6":
        return "ensemble"
    return recipes.RECIPES[_ROWS[row][0]].variant


# Title -> lines, in the papers' order; other authors' networks left out.
TABLES = {
    "P1 Table 2: plain and residual nets without more parameters": _lines(
        "ten_crop",
        "P1 Table 2",
        *("plain-18", "ResNet-18_A", "plain-34", "ResNet-34_A"),
    ),
    "P1 Table 3: ten crops": _lines(
        "ten_crop",
        "P1 Table 3",
        *("plain-34", "ResNet-34_A", "ResNet-34_B", "ResNet-34_C"),
        *("ResNet-50", "ResNet-101", "ResNet-152"),
    ),
    "P1 Table 4: single models, whole images at five scales": _lines(
        "multi_scale",
        "P1 Table 4",
        *("ResNet-34_B", "ResNet-34_C"),
        *("ResNet-50", "ResNet-101", "ResNet-152"),
    ),
    "P1 Table 5: ensemble (the paper's on the test set)": _lines(
        "multi_scale", "P1 Table 5", "ensemble_of_6"
    ),
    "P2, in its text: BN after the addition, one crop": (
        *_lines("center", "P2 sec. 4.1", "ResNet-101"),
        *_lines(
            "center",
            "P2 sec. 4.1, BN after addition",
            "ResNet-101_bn_after_addition",
        ),
    ),
    "P2 Table 5: one crop, of 224 or of 320 pixels": (
        *_lines("center", "P2 Table 5", "ResNet-152"),
        *_lines(
            "center_320",
            "P2 Table 5",
            *("ResNet-152", "ResNet-152_preactivation"),
            *("ResNet-200", "ResNet-200_preactivation"),
        ),
        *_lines(
            "center_320",
            "P2 Table 5, aspect augmentation",
            "ResNet-200_preactivation_area",
        ),
    ),
    "No table of the papers: an ensemble for the quick scale": tuple(
        Line("ensemble_of_18", view)
        for view in ("center", "ten_crop", "multi_scale", "center_320")
    ),
}

# Row -> (row, seeds after the ensemble's own) of each member.
ENSEMBLES = {
    "ensemble_of_6": (
        ("ResNet-34_B", 0),
        ("ResNet-34_C", 0),
        ("ResNet-50", 0),
        ("ResNet-101", 0),
        ("ResNet-152", 0),
        ("ResNet-152", 1),
    ),
    "ensemble_of_18": (("plain-18", 0), ("ResNet-18_A", 0)),
}


def lines(row_name):
    """The `Line`s of a row, in the order of the tables."""
    return [
        line
        for of_one in TABLES.values()
        for line in of_one
        if line.row == row_name
    ]


def views(row_name):
    """Names of the views that the tables have of a row, each once."""
    return tuple(dict.fromkeys(line.view for line in lines(row_name)))


def _row(name):
    # Where two tables print a figure, the later one prints both errors.
    printed = {
        line.view: f"{line.top1 or '-'} / {line.top5 or '-'} ({line.view})"
        for line in lines(name)
        if line.top1 or line.top5
    }
    recipe, panel = _ROWS[name]
    return Row(
        variant=recipes.RECIPES[recipe].variant,
        base=recipe,
        paper="; ".join(printed.values()),
        panel=panel,
    )


ROWS = {name: _row(name) for name in _ROWS}

# Written where it is missing; see `imagenet_photographs`.
PHOTOGRAPHS = "folder:runs/photographs"

# Two units a stage are ResNet-18's; the deeper rows are cut to them.
_QUICK = {
    "depths": (2, 2, 2, 2),
    "image_size": 32,
    "eval_resize": 37,
    "scale_range": (37, 69),
    "batch_size": 16,
    "gradient_accumulation_steps": 2,
    "learning_rate": 0.02,
    "steps": 60,
    "log_every_steps": 10,
    "eval_every_steps": 30,
    "checkpoint_every_steps": 60,
    "holdout_examples": 0,
}

IMAGENET = Experiment(
    title="ImageNet",
    question="Do both papers' tables for ImageNet come out?",
    source="P1 Tables 2 to 5, P2 Table 5",
    unit="top-1 / top-5 error on ImageNet, %",
    base="imagenet_resnet50",
    module="imagenet",
    rows=ROWS,
    settings={
        "quick": {
            PHOTOGRAPHS: Setting(
                recipe=_QUICK,
                rows=(
                    "plain-18",
                    "ResNet-18_A",
                    "ResNet-152",
                    "ResNet-200_preactivation_area",
                    "ensemble_of_18",
                ),
                seeds=1,
            ),
        },
        # BN's batch is 32 images, as on each of the papers' 8 GPUs.
        "full": {
            "imagenet2012": Setting(
                recipe={"gradient_accumulation_steps": 8}, seeds=1
            ),
        },
    },
    silent=(
        "the quick scale only proves that the rows run: 96 crops of two "
        "photographs at 32 pixels and two units a stage, so that the deep rows "
        "are not their depth and no figure means anything",
        "P1 Table 5 says that two of its six models are 152-layer; here they "
        "are the five of P1 Table 4 and a second ResNet-152, of the next seed, "
        "whose probabilities over all scales are averaged",
        "P1 Table 5 is on the test set, whose labels are not public; ours is "
        "on the validation set",
        "P1 Table 4 averages scores without saying where; here a network "
        "gives one answer for a whole image, and the probabilities of all "
        "scales and mirror images are averaged",
        "P1 divides the rate 'when the error plateaus': here after five "
        "evaluations, 25,000 iterations, without a better error, as often as "
        "that happens. P1 does not say which error it watched; here it is that "
        "of 10,000 training images which are held out, so that the reported "
        "images choose nothing; the curves of such rows are theirs",
        "P1's 3.57 % is the error of an ensemble of six networks, not of 152 "
        "layers alone",
        "BN uses its moving averages; the authors' README says that theirs "
        "were computed anew after training, which --precise_bn_batches does",
        "the mean of the pixels is one colour, not an image",
        "ResNet-152 in P2 Table 5 is P1's, by P1's plateaus; ResNet-200 of "
        "both kinds and ResNet-152 by pre-activation take P2's 30 and 60 of 90 "
        "epochs",
        "the last row of P2 Table 5 is fb.resnet.torch's model; here it has "
        "its crops and colours, and the momentum and decay of the other rows",
        "P2 crops 320 pixels from a shorter side of 320, of networks trained "
        "on 224; other image sizes are in proportion",
    ),
)
