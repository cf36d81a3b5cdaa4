"""Exported files and the manifest.json that describes them."""

import dataclasses
import hashlib
import os
import pathlib
import re

from keras_resnet import files as files_lib
from keras_resnet.errors import UsageError
from keras_resnet.errors import check_types
from keras_resnet.errors import require
from keras_resnet.labels import html

MANIFEST = "manifest.json"

# Names of the one input and the one output, in every format.
IMAGES = "images"
PROBABILITIES = "probabilities"

# A network that is no classifier and has one output calls it this; see
# `keras_resnet.features`.
EMBEDDING = "embedding"

# The network of a page, in the page's folder.
WEB_MODEL = "model.tflite"
# A page's service worker, which lists all its other files.
SERVICE_WORKER = "service_worker.js"

# Images to try an export on, in its directory.
SAMPLES = "samples"


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Artifact:
    """One exported network.

    Attributes:
        path: relative to the directory of manifest.json.
        format: name of a `kinds.Kind`: "saved_model", "tflite", ...
        precision: of the weights and of the arithmetic: "float32", "float16"
            (weights), "bfloat16", "dynamic_int8" (8-bit weights, activations
            quantised at run time) or "int8" (all).
        signature: {"inputs": {name: {"dtype", "shape"}}, "outputs": ...}; a
            size that is free is None.
        bytes: size of the file, or of all files of a directory.
        sha256: as `sha256` gives it.
        operators: {name: how many}, the operators of the file.
        max_abs_diff: largest difference of a probability from the Keras
            model's, or None before `verify`.
        relative_logit_diff: largest difference of a logit, in standard
            deviations of the logits, or None.
        top1_agreement: fraction of the images with the Keras model's first
            class, or None.
        num_images: how many images the three were measured on.
        export_seconds: wall time of the conversion, or None.
        label_agreement: for independent labels, in place of top1_agreement, the
            fraction of the answers (yes above 0.5) that equal the Keras
            model's; or None.
        features: for a network that is no classifier, {output:
            {"max_abs_diff", "relative_diff", "cosine"}} as
            `feature_bounds.Report` has them; `max_abs_diff` is then the
            largest of any output.
    """

    path: str
    format: str
    precision: str
    signature: dict
    bytes: int
    sha256: str
    operators: dict = dataclasses.field(default_factory=dict)
    max_abs_diff: float | None = None
    relative_logit_diff: float | None = None
    top1_agreement: float | None = None
    num_images: int = 0
    export_seconds: float | None = None
    label_agreement: float | None = None
    features: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        check_types(self)
        require(
            is_inside(self.path),
            f"{self.path!r} is not inside of the export's directory.",
        )

    def __repr__(self):
        facts = f"{self.precision}, {self.bytes / 1e6:.2f} MB"
        if self.max_abs_diff is not None:
            facts += (
                f", {self.max_abs_diff:.1e} from the Keras model's "
                f"{', '.join(self.features) or PROBABILITIES} on "
                f"{self.num_images} images"
            )
        return f"<Artifact {self.path}: {self.format}, {facts}>"

    def _repr_html_(self):
        """For notebooks."""
        return html.table(self.path, dataclasses.asdict(self))


class Artifacts(list):
    """The `Artifact`s of one export, which print as a table.

    Attributes:
        folder: pathlib.Path that holds them.
        verified_on: what they were verified on, in words.
    """

    def __init__(self, artifacts, folder, verified_on):
        super().__init__(artifacts)
        self.folder, self.verified_on = pathlib.Path(folder), verified_on

    def __repr__(self):
        agreements = list(map(agreement, self))
        lines = [
            f"{'file':<22}{'precision':<14}{'MB':>8}{'max abs diff':>14}"
            f"{agreements[0][0] if self else '':>17}{'seconds':>9}"
        ]
        lines += [
            f"{a.path:<22}{a.precision:<14}{a.bytes / 1e6:>8.2f}"
            f"{a.max_abs_diff:>14.1e}"
            f"{agreed:>17{'.6f' if a.features else '.1%'}}"
            f"{a.export_seconds:>9.1f}"
            for a, (_, agreed) in zip(self, agreements, strict=True)
        ]
        return "\n".join(lines) + (
            f"\n\nVerified on {self.verified_on}. Wrote them to "
            f"{self.folder}, with labels.txt, manifest.json and samples."
        )


def is_inside(name):
    """Whether a relative path stays inside its directory.

    Paths from files that others wrote are checked before anything is opened.
    """
    path = pathlib.PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def page_files(folder):
    """The names of all files that a page lists, within its folder.

    Args:
        folder: of the page.

    Returns:
        set of str, with "/" between folders, including the list's own file.

    Raises:
        OSError: if the list cannot be read.
    """
    script = files_lib.read(pathlib.Path(folder, SERVICE_WORKER))
    listed = re.findall(r'"([^"\n]+)": \{', script.decode(errors="replace"))
    return {SERVICE_WORKER, *listed}


def agreement(measured):
    """(its name, fraction) of an `Artifact` or a `bounds.Report`."""
    if getattr(measured, "features", None):
        return "least cosine", min(
            found["cosine"] for found in measured.features.values()
        )
    if measured.label_agreement is None:
        return "top-1 agreement", measured.top1_agreement
    return "label agreement", measured.label_agreement


def sha256(path):
    """The sha256 of a file, or of a directory.

    Of a directory it is the sha256 of the lines that `sha256sum` prints for
    its files by their relative names, sorted as bytes:

        cd DIRECTORY && find . -type f -printf '%P\\n' | LC_ALL=C sort |
            xargs -d '\\n' sha256sum | sha256sum
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    names = sorted(
        file.relative_to(path).as_posix().encode() for file in files(path)
    )
    lines = hashlib.sha256()
    for name in names:
        digest = sha256(path / os.fsdecode(name))
        lines.update(digest.encode() + b"  " + name + b"\n")
    return lines.hexdigest()


def files(path):
    """A path itself, or all files below a directory."""
    if not path.is_dir():
        return [path]
    return [file for file in path.rglob("*") if file.is_file()]


def read_manifest(directory):
    """The artifacts that manifest.json of a directory lists.

    Returns:
        list of `Artifact`.

    Raises:
        keras_resnet.UsageError: if there is no manifest or it is damaged.
    """
    return read_fields(
        pathlib.Path(directory),
        lambda fields: [Artifact(**row) for row in fields["artifacts"]],
    )


def read_fields(directory, take):
    """What `take` makes of the fields of a directory's manifest.json.

    Raises:
        keras_resnet.UsageError: if there is no manifest or it is damaged.
    """
    path = directory / MANIFEST
    require(
        path.is_file(),
        f"There is no {MANIFEST} in {str(directory)!r}: it stands beside what "
        "keras-resnet export writes. Pass that directory.",
    )
    try:
        return take(files_lib.read_json(path))
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:
        why = error if isinstance(error, UsageError) else f"{error!r}."
        raise UsageError(
            f"{str(path)!r} is damaged, or not the manifest of an export: {why}"
        ) from error
