"""The kinds of files that hold a network: how to recognise and open each.

`register` adds a kind of your own. `keras_resnet.export.formats.register` calls
it for a format that can be exported too.
"""

import collections
import dataclasses
import pathlib
import re
import zipfile
from collections.abc import Callable
from collections.abc import Iterable

from keras_resnet import files
from keras_resnet.errors import register as register_row
from keras_resnet.errors import require
from keras_resnet.inference import artifact
from keras_resnet.inference import operators
from keras_resnet.inference import predictors
from keras_resnet.inference.artifact import WEB_MODEL
from keras_resnet.inference.onnx_predictor import OnnxPredictor
from keras_resnet.inference.saved_model_predictor import SavedModelPredictor
from keras_resnet.weights import hub


def _is_file(path):
    return path.is_file()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of file or directory that holds a network.

    Attributes:
        name: what a manifest calls it: "tflite".
        title: what a message calls it: "a TFLite file".
        suffix: of the file's name: ".tflite"; "" for a directory.
        recognise: whether the content of an existing path is of this kind.
        predictor: opens such a path. An error other than a `UsageError` is
            reported as "damaged".
        operators: the names of the operators in it, one for each call.
        is_whole: whether all that lies at a recognised path belongs to one
            network of this kind, so that a new one may take its place.
            Default: a file does, a directory does not.
    """

    name: str
    title: str
    suffix: str
    recognise: Callable[[pathlib.Path], bool]
    predictor: Callable[[pathlib.Path], predictors.Predictor]
    operators: Callable[[pathlib.Path], Iterable[str]] = lambda path: ()
    is_whole: Callable[[pathlib.Path], bool] = _is_file

    def count_operators(self, path):
        """{name of an operator: int}, in alphabetical order."""
        names = self.operators(pathlib.Path(path))
        return dict(sorted(collections.Counter(names).items()))


KINDS: dict[str, "Kind"] = {}


def register(kind):
    """Adds a `Kind`, which is tried before those added earlier.

    Args:
        kind: `Kind`.

    Raises:
        keras_resnet.UsageError: if the name is taken.
    """
    register_row(KINDS, kind.name, kind, "kind of file")


def find(path):
    """The `Kind` of an existing path by its content, or None."""
    path = pathlib.Path(path)
    for kind in reversed(KINDS.values()):
        if kind.recognise(path):
            return kind
    return None


def recognise(path):
    """The `Kind` of a file or directory by its content.

    Raises:
        keras_resnet.UsageError: if there is nothing, or it is no network.
    """
    require(
        not hub.is_handle(path),
        "This needs a file on this machine: keras-resnet export writes one of "
        f"a repository. Received: {path!r}.",
    )
    path = pathlib.Path(path)
    require(
        path.exists(),
        f"There is no model {str(path)!r}. Expected a .keras, .tflite or "
        ".onnx file or a SavedModel directory.",
    )
    kind = find(path)
    require(kind is not None, f"{str(path)!r} {_why_none(path)}")
    return kind


def seems_network(path):
    """Whether a path is named like a network, or is a directory of one."""
    if path.is_dir():
        return find(path) is not None
    return path.suffix in {kind.suffix for kind in KINDS.values()} - {""}


def _why_none(path):
    """What is wrong with a path of no kind, after its name."""
    if path.is_dir():
        found = sorted(str(p) for p in path.iterdir() if seems_network(p))
        holds = f" It holds: {', '.join(found)}." if found else ""
        return (
            "is a directory without saved_model.pb, so not a SavedModel."
            f"{holds}"
        )
    if _start(path)[:4] == _HDF5:
        return (
            "is an HDF5 file: it holds weights alone. Pass the .keras file "
            "that model.save() writes."
        )
    if not zipfile.is_zipfile(path):
        return "is damaged: its end is missing. Copy or write it again."
    return "is a zip file without config.json, so not a .keras file."


_HDF5, _ZIP = b"\x89HDF", b"PK"


def _start(path):
    with path.open("rb") as file:
        return file.read(8)


def _is_onnx(path):
    # ONNX has no magic number: onnxruntime reads the file or says why not.
    return path.is_file() and not _start(path).startswith((_HDF5, _ZIP))


def _is_whole_onnx(path):
    import onnx

    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception:  # which one depends on protobuf's implementation
        return False
    return bool(proto.graph.node)


def _is_keras(path):
    if not path.is_file() or not _start(path).startswith(_ZIP):
        return False
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "config.json" in archive.namelist()


def _is_tflite(path):
    return path.is_file() and _start(path)[4:8] == b"TFL3"


def _is_saved_model(path):
    return (path / "saved_model.pb").is_file()


# What TensorFlow and this library write into a SavedModel.
_SAVED_MODEL = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb"
    r"|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|assets/.+|assets\.extra/.+"
)


def _is_whole_saved_model(path):
    return all(map(_SAVED_MODEL.fullmatch, _names(path)))


def _is_page(path):
    return all((path / name).is_file() for name in ("page.json", WEB_MODEL))


def _is_whole_page(path):
    try:
        return artifact.page_files(path).issuperset(_names(path))
    except OSError:
        return False


def _names(folder):
    return [e.relative_to(folder).as_posix() for e in files.entries(folder)]


# Tried last, because it has no magic number.
register(
    Kind(
        name="onnx",
        title="an ONNX file",
        suffix=".onnx",
        recognise=_is_onnx,
        predictor=OnnxPredictor,
        operators=operators.list_onnx,
        is_whole=_is_whole_onnx,
    )
)
register(
    Kind(
        name="keras",
        title="a .keras file",
        suffix=".keras",
        recognise=_is_keras,
        predictor=predictors.KerasPredictor.open,
    )
)
register(
    Kind(
        name="tflite",
        title="a TFLite file",
        suffix=".tflite",
        recognise=_is_tflite,
        predictor=predictors.TFLitePredictor,
        operators=operators.list_tflite,
    )
)
register(
    Kind(
        name="saved_model",
        title="a SavedModel",
        suffix="",
        recognise=_is_saved_model,
        predictor=SavedModelPredictor,
        operators=operators.list_saved_model,
        is_whole=_is_whole_saved_model,
    )
)
register(
    Kind(
        name="web",
        title="a page",
        suffix="",
        recognise=_is_page,
        predictor=predictors.WebPredictor,
        operators=lambda path: operators.list_tflite(path / WEB_MODEL),
        is_whole=_is_whole_page,
    )
)
