"""Ours and its peers: one training step of ResNet-50 after the other.

A contender is named "module:function". The function, called with keyword
arguments in a process of its own (`worker`), imports what it needs, makes its
pixels and returns a function `build`. That makes the network and everything
else that must be there before a first step, and returns `steps(count, tick)`,
which trains `count` steps and calls `tick()` after each; or None where only
building is of interest.
"""

import dataclasses

OURS, CEILING = "ours", "ceiling: the convolutions alone"
THEIRS, TORCHVISION = "keras.applications, fit", "torchvision, PyTorch"
FROM_FILES = "ours, images from JPEG files"

# {row: (contender, its arguments beside the image's and the batch's size)}.
CONTENDERS = {
    OURS: ("benchmarks.keras_steps:ours", {}),
    THEIRS: ("benchmarks.keras_steps:keras_applications", {}),
    TORCHVISION: ("benchmarks.torch_steps:torchvision", {}),
    CEILING: ("benchmarks.convolution_steps:convolutions", {}),
    FROM_FILES: ("benchmarks.keras_steps:ours", {}),  # and the files' folder
    "ours, strides as torchvision": (
        "benchmarks.keras_steps:ours",
        {"variant": "resnet50_v1_5"},
    ),
}
# Those whose first step a user waits for.
FIRST_STEPS = (OURS, THEIRS, TORCHVISION)
# The input pipeline of FROM_FILES, for nothing.
INPUT = "benchmarks.keras_steps:batches"

# How activations are kept: {heading: arguments of `keras_resnet.build`}.
REMATERIALISATION = {
    "all kept": {},
    "rematerialised": {"remat": True},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """One of our networks and a batch.

    Attributes:
        variant: key of `keras_resnet.VARIANTS`.
        image_size: pixels, square.
        batch_size: images a step.
    """

    variant: str
    image_size: int
    batch_size: int

    def task(self, choices=()):
        """Contender and arguments of this network's training step."""
        arguments = dataclasses.asdict(self) | {"choices": dict(choices)}
        return "benchmarks.keras_steps:ours", arguments

    def __str__(self):
        return f"{self.variant}, {self.image_size} px, {self.batch_size} images"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much is measured.

    Attributes:
        image_size, batch_size: of every contender.
        rounds: that count; each contender takes one turn in each.
        steps: timed ones of a turn.
        begins: new processes of each contender whose first step is timed.
        files: JPEG files that are made.
        input_steps: batches that the input makes by itself.
        builds: {row: name for `keras_steps.our_model` or `their_model`}.
        deepest: network whose first step is timed once.
        memory: networks that are measured with each of REMATERIALISATION.
        profiled_steps: that count.
    """

    image_size: int
    batch_size: int
    rounds: int
    steps: int
    begins: int
    files: int
    input_steps: int
    builds: dict
    deepest: Network
    memory: tuple[Network, ...]
    profiled_steps: int


FULL = Amounts(
    image_size=160,
    batch_size=16,
    rounds=5,
    steps=3,
    begins=3,
    files=32,
    input_steps=100,
    builds={
        "keras_resnet.ResNet152()": ("our_model", "resnet152"),
        "keras.applications.ResNet152()": ("their_model", "ResNet152"),
        'keras_resnet.build("resnet1202")': ("our_model", "resnet1202"),
    },
    deepest=Network(variant="resnet1202", image_size=32, batch_size=16),
    memory=(
        Network(variant="resnet50", image_size=160, batch_size=16),
        Network(variant="resnet1001_v2", image_size=32, batch_size=16),
    ),
    profiled_steps=3,
)
# Whether all of it works; the figures mean little.
QUICK = Amounts(
    image_size=64,
    batch_size=2,
    rounds=1,
    steps=1,
    begins=1,
    files=2,
    input_steps=2,
    builds={
        "keras_resnet.ResNet50()": ("our_model", "resnet50"),
        "keras.applications.ResNet50()": ("their_model", "ResNet50"),
    },
    deepest=Network(variant="resnet32", image_size=32, batch_size=2),
    memory=(Network(variant="resnet20", image_size=32, batch_size=2),),
    profiled_steps=1,
)
