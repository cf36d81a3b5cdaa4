"""Ours and its peers in inference: which networks, in which files, by whom.

A contender is a file of an exported network in a runtime. All take the same
pictures, in the form that their network takes them, which is in memory before
the clock starts.
"""

import dataclasses

OURS, KERAS, TORCHVISION = "ours", "keras.applications", "torchvision"


@dataclasses.dataclass(frozen=True)
class Contender:
    """A file in a runtime.

    Attributes:
        library: whose network, and whose way of writing the file.
        format: what is compared: those of one format compete.
        runtime: key of `inference_runtimes.RUNTIMES`.
        file: key of `SUFFIXES`.
    """

    library: str
    format: str
    runtime: str
    file: str

    def __str__(self):
        return f"{self.library}, {self.format}"


# {file: how its name goes on}.
SUFFIXES = {
    "saved_model": "",
    "tflite_float32": ".tflite",
    "tflite_float16": ".tflite",
    "tflite_dynamic_int8": ".tflite",
    "tflite_int8": ".tflite",
    "onnx_float32": ".onnx",
    "onnx_int8": ".onnx",
    "weights": ".pt",
    "torchscript": ".pt",
}

SAVED_MODEL = "SavedModel"
TFLITE = "TFLite float32"
TFLITE_FLOAT16 = "TFLite float16"
TFLITE_DYNAMIC = "TFLite dynamic int8"
TFLITE_INT8 = "TFLite int8"
ONNX, ONNX_INT8 = "ONNX, onnxruntime", "ONNX int8, onnxruntime"
OPENVINO, OPENVINO_INT8 = "ONNX, OpenVINO", "ONNX int8, OpenVINO"
EAGER, TORCHSCRIPT = "PyTorch eager", "PyTorch, TorchScript"

CONTENDERS = tuple(
    Contender(library, *rest)
    for library, *rest in (
        (OURS, SAVED_MODEL, "tensorflow", "saved_model"),
        (KERAS, SAVED_MODEL, "tensorflow", "saved_model"),
        (OURS, TFLITE, "litert", "tflite_float32"),
        (KERAS, TFLITE, "litert", "tflite_float32"),
        (OURS, TFLITE_FLOAT16, "litert", "tflite_float16"),
        (OURS, TFLITE_DYNAMIC, "litert", "tflite_dynamic_int8"),
        (KERAS, TFLITE_DYNAMIC, "litert", "tflite_dynamic_int8"),
        (OURS, TFLITE_INT8, "litert", "tflite_int8"),
        (OURS, ONNX, "onnxruntime", "onnx_float32"),
        (KERAS, ONNX, "onnxruntime", "onnx_float32"),
        (TORCHVISION, ONNX, "onnxruntime", "onnx_float32"),
        (OURS, ONNX_INT8, "onnxruntime", "onnx_int8"),
        (OURS, OPENVINO, "openvino", "onnx_float32"),
        (KERAS, OPENVINO, "openvino", "onnx_float32"),
        (TORCHVISION, OPENVINO, "openvino", "onnx_float32"),
        (OURS, OPENVINO_INT8, "openvino", "onnx_int8"),
        (TORCHVISION, EAGER, "pytorch", "weights"),
        (TORCHVISION, TORCHSCRIPT, "torchscript", "torchscript"),
    )
)

# {int8 format: the same network and runtime in float32}.
FLOAT32 = {
    TFLITE_DYNAMIC: TFLITE,
    TFLITE_INT8: TFLITE,
    ONNX_INT8: ONNX,
    OPENVINO_INT8: OPENVINO,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """One architecture, and what each library calls it.

    Attributes:
        names: {library: its name}.
        formats: those that are measured.
        choices: {library: what makes it small, for tests}.
        image_size: pixels, square.
    """

    names: dict
    formats: tuple[str, ...]
    choices: dict = dataclasses.field(default_factory=dict)
    image_size: int = 224


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Contenders that take turns: those of some networks, in one setting.

    Attributes:
        networks: keys of `Amounts.networks`.
        batch: images of one call.
        threads: int, that compute.
    """

    networks: tuple[str, ...]
    batch: int
    threads: int

    @property
    def setting(self):
        """Words for a column of a table."""
        plural = "s" if self.threads > 1 else ""
        return f"batch {self.batch}, {self.threads} thread{plural}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much is measured.

    Attributes:
        networks: {name: `Network`}.
        groups: `Group`s, each an alternating run.
        rounds: {batch: those that count; a contender takes one turn in each}.
        calls: {(batch, threads): timed ones of a turn}.
        begins: new processes of each contender, of its first group, whose
            start is measured.
        calibration: pictures that show int8 files their ranges, at most those
            of the largest batch.
        successor: (network, the one whose float32 latency may not be much
            more).
    """

    networks: dict
    groups: tuple[Group, ...]
    rounds: dict
    calls: dict
    begins: int
    calibration: int
    successor: tuple[str, str]


def of_group(amounts, group):
    """The rows of a group: [(name of the network, `Contender`)]."""
    return [
        (name, contender)
        for name in group.networks
        for contender in CONTENDERS
        if contender.library in amounts.networks[name].names
        and contender.format in amounts.networks[name].formats
    ]


_ALL = tuple(dict.fromkeys(contender.format for contender in CONTENDERS))
_OF_TORCHVISION = (SAVED_MODEL, ONNX, OPENVINO, EAGER, TORCHSCRIPT)
_OF_KERAS = tuple(name for name in _ALL if name not in (EAGER, TORCHSCRIPT))
_NETWORKS = {
    "ResNet-50": Network(
        names={OURS: "resnet50", KERAS: "ResNet50"}, formats=_OF_KERAS
    ),
    "ResNet-50 v2": Network(
        names={OURS: "resnet50_v2", KERAS: "ResNet50V2"}, formats=_OF_KERAS
    ),
    # torchvision's strides are in the 3x3 convolutions.
    "ResNet-50 v1.5": Network(
        names={OURS: "resnet50_v1_5", TORCHVISION: "resnet50"},
        formats=_OF_TORCHVISION,
    ),
    "ResNet-18": Network(
        names={OURS: "resnet18", TORCHVISION: "resnet18"}, formats=_ALL
    ),
    "ResNet-152": Network(
        names={OURS: "resnet152", KERAS: "ResNet152"}, formats=_OF_KERAS
    ),
    "ResNet-152 v1.5": Network(
        names={OURS: "resnet152_v1_5", TORCHVISION: "resnet152"},
        formats=_OF_TORCHVISION,
    ),
}
_BOTH_50 = ("ResNet-50", "ResNet-50 v2")
_OTHERS = ("ResNet-18", "ResNet-50 v1.5")
# One at a time: they are large.
_DEEPEST = (("ResNet-152",), ("ResNet-152 v1.5",))


def _groups(networks, batch, threads=(1, 2)):
    return tuple(
        Group(networks=networks, batch=batch, threads=n) for n in threads
    )


FULL = Amounts(
    networks=_NETWORKS,
    groups=tuple(
        group
        for networks in (_BOTH_50, _OTHERS, *_DEEPEST)
        for batch in (1, 16)
        for group in _groups(networks, batch)
    ),
    rounds={1: 6, 16: 3},
    # Calls of a few milliseconds on both cores wait until what the contender
    # before has started is quiet: more of them.
    calls={(1, 1): 4, (1, 2): 16, (16, 1): 1, (16, 2): 1},
    begins=2,
    calibration=16,
    successor=_BOTH_50,
)

# Small ones of every library; the figures mean little.
_SMALL = {
    OURS: {"depths": (1, 1, 1, 1), "filters": (16, 32, 64, 128)},
    KERAS: {"depths": (2,)},  # fewer units give two layers one name
    TORCHVISION: {"depths": (1, 1, 1, 1)},
}
QUICK = Amounts(
    networks={
        name: dataclasses.replace(network, choices=_SMALL, image_size=32)
        for name, network in _NETWORKS.items()
        if name in (*_BOTH_50, "ResNet-18")
    },
    groups=(
        *_groups(_BOTH_50, 1, threads=(1,)),
        *_groups(("ResNet-50",), 2, threads=(2,)),
        *_groups(("ResNet-18",), 1, threads=(2,)),
    ),
    rounds={1: 1, 2: 1},
    calls={(1, 1): 1, (1, 2): 1, (2, 2): 1},
    begins=1,
    calibration=2,
    successor=_BOTH_50,
)
