"""What is compared in inference: networks, and the formats of their files."""

import typing

OURS, KERAS, TORCHVISION = "ours", "keras.applications", "torchvision"

SAVED_MODEL = "SavedModel"
SAVED_MODEL_FROZEN = "SavedModel, frozen"
SAVED_MODEL_BFLOAT16 = "SavedModel bfloat16"
SAVED_MODEL_BFLOAT16_FROZEN = "SavedModel bfloat16, frozen"
TFLITE = "TFLite float32"
TFLITE_FLOAT16 = "TFLite float16"
TFLITE_DYNAMIC = "TFLite dynamic int8"
TFLITE_INT8 = "TFLite int8"
ONNX, ONNX_INT8 = "ONNX, onnxruntime", "ONNX int8, onnxruntime"
OPENVINO, OPENVINO_INT8 = "ONNX, OpenVINO", "ONNX int8, OpenVINO"
# OpenVINO computes in bfloat16 where a CPU can, unless it is told otherwise.
OPENVINO_DEFAULT = "ONNX, OpenVINO by default"
EAGER, TORCHSCRIPT = "PyTorch eager", "PyTorch, TorchScript"

PYTORCH = (EAGER, TORCHSCRIPT)
FLOAT32 = (SAVED_MODEL, TFLITE, ONNX, OPENVINO)
# {int8 format: the same network and runtime in float32}.
INT8 = {
    TFLITE_DYNAMIC: TFLITE,
    TFLITE_INT8: TFLITE,
    ONNX_INT8: ONNX,
    OPENVINO_INT8: OPENVINO,
}
# {format: the same network and runtime in float32, or not frozen}.
BFLOAT16 = {
    SAVED_MODEL_BFLOAT16: SAVED_MODEL,
    OPENVINO_DEFAULT: OPENVINO,
}
FROZEN = {
    SAVED_MODEL_FROZEN: SAVED_MODEL,
    SAVED_MODEL_BFLOAT16_FROZEN: SAVED_MODEL_BFLOAT16,
}
# The second's latency may not be much higher than the first's.
SUCCESSOR = ("ResNet-50", "ResNet-50 v2")


class Format(typing.NamedTuple):
    """A kind of file in a runtime; files of one format compete."""

    runtime: str  # key of `runtimes.RUNTIMES`
    file: str  # its name, PRECISION.KIND or another
    libraries: tuple  # those whose networks have this format


_ALL, _KERAS = (OURS, KERAS, TORCHVISION), (OURS, KERAS)
FORMATS = {
    SAVED_MODEL: Format("tensorflow", "saved_model", _KERAS),
    SAVED_MODEL_FROZEN: Format("tensorflow", "frozen.saved_model", (OURS,)),
    SAVED_MODEL_BFLOAT16: Format("tensorflow", "bfloat16.saved_model", (OURS,)),
    SAVED_MODEL_BFLOAT16_FROZEN: Format(
        "tensorflow", "bfloat16.frozen.saved_model", (OURS,)
    ),
    TFLITE: Format("litert", "float32.tflite", _KERAS),
    TFLITE_FLOAT16: Format("litert", "float16.tflite", (OURS,)),
    TFLITE_DYNAMIC: Format("litert", "dynamic_int8.tflite", _KERAS),
    TFLITE_INT8: Format("litert", "int8.tflite", (OURS,)),
    ONNX: Format("onnxruntime", "float32.onnx", _ALL),
    ONNX_INT8: Format("onnxruntime", "int8.onnx", (OURS,)),
    OPENVINO: Format("openvino", "float32.onnx", _ALL),
    OPENVINO_DEFAULT: Format("openvino_default", "float32.onnx", _ALL),
    OPENVINO_INT8: Format("openvino", "int8.onnx", (OURS,)),
    EAGER: Format("pytorch", "weights.pt", (TORCHVISION,)),
    TORCHSCRIPT: Format("torchscript", "torchscript.pt", (TORCHVISION,)),
}


class Network(typing.NamedTuple):
    """One architecture: what each library calls it, and what is measured."""

    names: dict
    formats: tuple = tuple(FORMATS)


_OF_TORCHVISION = (SAVED_MODEL, ONNX, OPENVINO, OPENVINO_DEFAULT)
_OF_TORCHVISION += PYTORCH
# torchvision's strides are in the 3x3 convolutions, as in our v1_5.
NETWORKS = {
    "ResNet-50": Network({OURS: "resnet50", KERAS: "ResNet50"}),
    "ResNet-50 v2": Network({OURS: "resnet50_v2", KERAS: "ResNet50V2"}),
    "ResNet-50 v1.5": Network(
        {OURS: "resnet50_v1_5", TORCHVISION: "resnet50"}, _OF_TORCHVISION
    ),
    "ResNet-18": Network({OURS: "resnet18", TORCHVISION: "resnet18"}),
}
EXPORTERS = {
    OURS: "benchmarks.keras_files:ours",
    KERAS: "benchmarks.keras_files:keras_applications",
    TORCHVISION: "benchmarks.torch_files:torchvision",
}


class Group(typing.NamedTuple):
    """Contenders that take turns: those of some networks, in one setting."""

    networks: tuple  # keys of `NETWORKS`
    batch: int  # images of one call
    threads: int  # that compute
    rounds: int  # that count; a contender takes one turn in each
    calls: int  # timed calls of a turn

    @property
    def setting(self):
        """Words for a column of a table."""
        plural = "s" if self.threads > 1 else ""
        return f"batch {self.batch}, {self.threads} thread{plural}"


class Row(typing.NamedTuple):
    """A contender's place in the record."""

    network: str
    library: str
    format: str

    def __str__(self):
        return f"{self.network}: {self.library}, {self.format}"


def rows(group):
    """The contenders of a group: list of `Row`."""
    return [
        Row(name, library, of)
        for name in group.networks
        for of in NETWORKS[name].formats
        for library in FORMATS[of].libraries
        if library in NETWORKS[name].names
    ]
