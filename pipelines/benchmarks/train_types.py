"""Training steps in float32 and in bfloat16: ours, peers, convolutions alone.

On networks of several sizes; contenders of one network take turns.
"""

import typing

from benchmarks import measure
from benchmarks import tables
from benchmarks.runner import Contender
from benchmarks.runner import take_turns

FLOAT32, BFLOAT16 = "float32", "bfloat16"
OURS, CEILING = "ours", "the convolutions alone"
KERAS, TORCHVISION = "keras.applications, fit", "torchvision, PyTorch"
STOCK = "Keras' own layers, fit"

TYPES = (FLOAT32, BFLOAT16)
# {row: (function, the argument that names a network, arguments by type)}. The
# convolutions have no weights that a mixed type could keep in float32.
_MIXED = {FLOAT32: {}, BFLOAT16: {"dtype": "mixed_bfloat16"}}
CONTENDERS = {
    OURS: (
        "benchmarks.steps:ours",
        "variant",
        {name: {"choices": choice} for name, choice in _MIXED.items()},
    ),
    KERAS: ("benchmarks.steps:keras_applications", "name", _MIXED),
    TORCHVISION: (
        "benchmarks.steps:torchvision",
        "name",
        {FLOAT32: {}, BFLOAT16: {"mixed": True}},
    ),
    STOCK: ("benchmarks.stock_resnet:fit", "depth", _MIXED),
    CEILING: (
        "benchmarks.convolutions:convolutions",
        "variant",
        {FLOAT32: {}, BFLOAT16: {"dtype": "bfloat16"}},
    ),
}


class Network(typing.NamedTuple):
    """A network: what each contender calls it, and the size of a step."""

    names: dict  # {row of `CONTENDERS`: the network's name there}
    image_size: int
    batch_size: int

    @property
    def size(self):
        """Words for a heading."""
        return f"{self.image_size} px, {self.batch_size} images a step"


def _names(variant, peers):
    return {OURS: variant, CEILING: variant, **peers}


NETWORKS = {
    "ResNet-50": Network(
        _names("resnet50", {KERAS: "ResNet50", TORCHVISION: "resnet50"}),
        image_size=160,
        batch_size=16,
    ),
    "ResNet-50 v2": Network(
        _names("resnet50_v2", {KERAS: "ResNet50V2"}), 160, 16
    ),
    "ResNet-18": Network(
        _names("resnet18", {TORCHVISION: "resnet18"}), 160, 16
    ),
    "ResNet-110": Network(_names("resnet110", {STOCK: 110}), 32, 32),
    "ResNet-20": Network(
        _names("resnet20", {STOCK: 20}),
        image_size=32,
        batch_size=128,
    ),
}


FULL = dict.fromkeys(NETWORKS, {"rounds": 3, "steps": 3})
QUICK = {
    name: {"rounds": 1, "steps": 1, "image_size": 32, "batch_size": 2}
    for name in ("ResNet-18", "ResNet-20")
}


def of(name, often, say):
    """The figures of one network: {"types": {name: "size", "rows", "missing"}}.

    Args:
        name: key of `NETWORKS`.
        often: dict of `rounds` and `steps`, and of sizes in place of the
            network's.
        say: function that takes a line of progress.
    """
    return {"types": {name: _of_network(NETWORKS[name], dict(often), say)}}


def _of_network(network, often, say):
    sizes = {
        key: often.pop(key)
        for key in ("image_size", "batch_size") & often.keys()
    }
    network = network._replace(**sizes)
    of = contenders(network)
    turns = take_turns(of, **often, say=say)
    spreads = measure.summarise(
        turns.rounds,
        ("images_per_second", "step_seconds", "step_cpu_seconds"),
        {
            of_type: ("images_per_second", f"{OURS}, {of_type}")
            for of_type in TYPES
        },
    )
    return {"size": network.size, "rows": spreads, "missing": turns.missing}


def contenders(network):
    """{"row, type": `Contender`} of a network."""
    sizes = {
        "image_size": network.image_size,
        "batch_size": network.batch_size,
    }
    return {
        f"{row}, {of_type}": Contender(
            CONTENDERS[row][0],
            {**sizes, CONTENDERS[row][1]: name, **CONTENDERS[row][2][of_type]},
            network.batch_size,
        )
        for row, name in network.names.items()
        for of_type in TYPES
    }


def report(figures):
    """The paragraphs of {network: figures}."""
    parts = ["### In float32 and in bfloat16"] if figures else []
    for name, of_one in figures.items():
        parts += [f"#### {name}, {of_one['size']}"]
        parts += [tables.of_rows(of_one["rows"], COLUMNS)]
        parts += tables.missing(of_one)
    return parts


COLUMNS = {
    "contender": ("name", ""),
    "images/s": ("images_per_second", ".3g"),
    "s a step": ("step_seconds", ".2f"),
    "CPU s a step": ("step_cpu_seconds", ".2f"),
    "ours over it": (FLOAT32, ".2f"),
    "ours in bfloat16 over it": (BFLOAT16, ".2f"),
}
