"""The papers' tables and figures by name; the files beside this run them.

`register` adds one of your own.
"""

from reproduction import identity_rows
from reproduction import question_rows
from reproduction import signal_rows
from reproduction import training_rows
from reproduction.backbone_rows import BACKBONE
from reproduction.backbone_rows import BACKBONE_RATES
from reproduction.cost_rows import COSTS
from reproduction.cost_rows import REMAT
from reproduction.fine_tuning import FINE_TUNING
from reproduction.imagenet_rows import IMAGENET
from reproduction.jobs import Experiment
from reproduction.later_rows import LATER
from reproduction.type_rows import DTYPES

from keras_resnet import errors

EXPERIMENTS: dict[str, Experiment] = {}


def register(name, experiment):
    """Adds an experiment that --experiment, --list and --report know.

    Call it in a module of yours that `--import` names.

    Args:
        name: str; its records are in docs/results/NAME.json.
        experiment: `jobs.Experiment`.

    Raises:
        keras_resnet.UsageError: if the name is taken.
    """
    errors.register(EXPERIMENTS, name, experiment, "experiment")


register("degradation", training_rows.DEGRADATION)
register("options", training_rows.OPTIONS)
register("shortcuts", identity_rows.SHORTCUTS)
register("placements", identity_rows.PLACEMENTS)
register("preactivation", identity_rows.PREACTIVATION)
register("warmup", training_rows.WARMUP)
register("fine_tuning", FINE_TUNING)
register("backbone", BACKBONE)
register("backbone_rates", BACKBONE_RATES)
register("responses", signal_rows.RESPONSES)
register("propagation", signal_rows.PROPAGATION)
register("sum_or_product", question_rows.SUM_OR_PRODUCT)
register("lesion", question_rows.LESION)
register("landscape", question_rows.LANDSCAPE)
register("convergence", question_rows.CONVERGENCE)
register("highway", question_rows.HIGHWAY)
register("gates", question_rows.GATES)
register("overfitting", question_rows.OVERFITTING)
register("thousand", question_rows.THOUSAND)
register("later", LATER)
register("dtypes", DTYPES)
register("imagenet", IMAGENET)
register("costs", COSTS)
register("remat", REMAT)
