"""Every table and figure of both papers, and what answers it here, as data.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

import typing

from reproduction import results
from reproduction.experiments import EXPERIMENTS


class Place(typing.NamedTuple):
    """A table or a figure.

    Attributes:
        shows: what, in words.
        experiments: keys of `EXPERIMENTS`; () where none asks it.
        instead: what there is in place of them, or beside them, in words.
    """

    shows: str
    experiments: tuple[str, ...] = ()
    instead: str = ""


_DRAWN = "`pipelines/architecture.py --variant={}` draws it"
_OTHER_DATA = "asks it of digits: PASCAL VOC and COCO are not read"
_NOT_ASKED = "not reproduced: entries of contests, with Faster R-CNN"

PLACES = {
    "P1 Fig. 1": Place("errors of plain-20 and plain-56", ("degradation",)),
    "P1 Fig. 2": Place("a residual unit", instead=_DRAWN.format("resnet34")),
    "P1 Fig. 3": Place(
        "VGG-19, plain-34 and ResNet-34",
        ("costs",),
        _DRAWN.format("plainnet34"),
    ),
    "P1 Table 1": Place("networks for ImageNet, multiply-adds", ("costs",)),
    "P1 Fig. 4": Place("curves of 18 and 34 layers, ImageNet", ("imagenet",)),
    "P1 Table 2": Place("plain and residual, ten crops", ("imagenet",)),
    "P1 Fig. 5": Place("a bottleneck", instead=_DRAWN.format("resnet50")),
    "P1 Table 3": Place(
        "options A, B, C; 50 to 152 layers", ("options", "imagenet")
    ),
    "P1 Table 4": Place("single models", ("imagenet",)),
    "P1 Table 5": Place("ensembles", ("imagenet",)),
    "P1 Fig. 6": Place("curves on CIFAR-10", ("degradation",)),
    "P1 Table 6": Place(
        "errors on CIFAR-10, 1202 layers",
        ("degradation", "warmup", "overfitting"),
    ),
    "P1 Fig. 7": Place("standard deviations of responses", ("responses",)),
    "P1 Table 7": Place("detection, PASCAL VOC", ("backbone",), _OTHER_DATA),
    "P1 Table 8": Place("detection, COCO", ("backbone",), _OTHER_DATA),
    "P1 Tables 9 to 11": Place("improved detection", instead=_NOT_ASKED),
    "P1 Table 12": Place("detection, ImageNet", instead=_NOT_ASKED),
    "P1 Tables 13, 14": Place("localisation, ImageNet", instead=_NOT_ASKED),
    "P2 Fig. 1": Place("1001 layers, both units, curves", ("thousand",)),
    "P2 Fig. 2": Place("kinds of shortcuts", ("shortcuts",)),
    "P2 Table 1": Place("shortcuts of ResNet-110", ("shortcuts",)),
    "P2 Fig. 3": Place("curves of the same", ("shortcuts",)),
    "P2 Fig. 4": Place(
        "placements of BN and ReLU",
        ("placements",),
        _DRAWN.format("resnet110_relu_preact"),
    ),
    "P2 Table 2": Place("placements, 110 and 164 layers", ("placements",)),
    "P2 Fig. 5": Place(
        "asymmetric activation is pre-activation",
        instead=_DRAWN.format("resnet110_v2"),
    ),
    "P2 Table 3": Place(
        "original and pre-activated", ("preactivation", "thousand")
    ),
    "P2 Fig. 6": Place("curves of placements", ("placements",)),
    "P2 Table 4": Place(
        "164 and 1001 layers beside others", ("preactivation",)
    ),
    "P2 Table 5": Place("ImageNet, one crop", ("imagenet",)),
}


def listing(named):
    """Lines on all `PLACES`, each with what was run.

    Args:
        named: {experiment: its records}.
    """
    states = {
        name: f"{name} ({_state(experiment, named.get(name, []))})"
        for name, experiment in EXPERIMENTS.items()
    }
    lines = []
    for name, place in PLACES.items():
        words = [states[experiment] for experiment in place.experiments]
        words += [place.instead] if place.instead else []
        lines.append(f"{name}, {place.shows}: {'; '.join(words)}")
    return lines


def _state(experiment, records):
    """What was run, "quick digits 2 of 3 rows, full not run"."""
    groups, words = results.by_setting(records), []
    for scale, settings in experiment.settings.items():
        run = []
        for dataset, setting in settings.items():
            rows = setting.rows or experiment.rows
            mine = groups.get((scale, dataset), [])
            count = sum(_was_run(mine, row, setting.rates) for row in rows)
            if count:
                run.append(f"{scale} {dataset} {count} of {len(rows)} rows")
        words += run or [f"{scale} not run"]
    return ", ".join(words)


def _was_run(records, row, rates):
    """Whether a row has a record, of a grid at each rate."""
    found = {
        record["recipe"]["learning_rate"]
        for record in records
        if record["row"] == row
    }
    return bool(found) and found.issuperset(rates)
