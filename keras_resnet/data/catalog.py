"""What is known about data sets beyond their examples. No TensorFlow."""

import dataclasses
import os
import pathlib

from keras_resnet.errors import require
from keras_resnet.networks import specs

_IMAGENET = specs.STEMS["imagenet"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What the library knows about a data set beyond its examples.

    Attributes:
        validation: name of the split that errors are reported on.
        reference: who published it.
        pixel_mean, pixel_std: RGB, 0..255, of the train split; ImageNet's
            where nobody has published the data set's own.
    """

    validation: str = "validation"
    reference: str = ""
    pixel_mean: tuple[float, float, float] = _IMAGENET.pixel_mean
    pixel_std: tuple[float, float, float] = _IMAGENET.pixel_std


DATASETS = {
    "digits": DatasetInfo(
        pixel_mean=(78.0,) * 3,
        pixel_std=(96.0,) * 3,
        validation="validation",
        reference=(
            "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten "
            "Digits, UCI Machine Learning Repository, 1998, CC BY 4.0; the "
            "1,797 images that scikit-learn carries."
        ),
    ),
    "mnist": DatasetInfo(
        pixel_mean=(33.3,) * 3,
        pixel_std=(78.6,) * 3,
        validation="test",
        reference="LeCun et al. 1998",
    ),
    "fashion_mnist": DatasetInfo(
        pixel_mean=(72.9,) * 3,
        pixel_std=(90.0,) * 3,
        validation="test",
        reference="Xiao et al. 2017, arXiv 1708.07747",
    ),
    "cifar10": DatasetInfo(
        pixel_mean=specs.STEMS["cifar"].pixel_mean,
        pixel_std=specs.STEMS["cifar"].pixel_std,
        validation="test",
        reference="Krizhevsky 2009",
    ),
    "cifar100": DatasetInfo(
        pixel_mean=(129.3, 124.1, 112.4),
        pixel_std=(68.2, 65.4, 70.4),
        validation="test",
        reference="Krizhevsky 2009",
    ),
    "imagenet2012": DatasetInfo(
        reference="Russakovsky et al. 2015, arXiv 1409.0575",
    ),
    "imagenette": DatasetInfo(reference="Howard 2019, fastai/imagenette"),
    "oxford_flowers102": DatasetInfo(
        reference="Nilsback, Zisserman 2008",
    ),
    "oxford_iiit_pet": DatasetInfo(
        validation="test", reference="Parkhi et al. 2012"
    ),
    "stanford_dogs": DatasetInfo(
        validation="test", reference="Khosla et al. 2011"
    ),
    "stl10": DatasetInfo(validation="test", reference="Coates et al. 2011"),
    "svhn_cropped": DatasetInfo(
        validation="test", reference="Netzer et al. 2011"
    ),
}


def name_of(data, sources=()):
    """As `datasets.name_of`, with sources of these names."""
    dataset, known = os.fspath(data), {*sources, *DATASETS}
    kind, _, rest = dataset.partition(":")
    is_remote = rest.startswith("//") and kind not in known
    path, is_csv = pathlib.Path(dataset), dataset.endswith(".csv")
    if path.is_dir() or (is_remote and not is_csv):
        return f"folder:{dataset.rstrip('/')}"
    if is_csv and (is_remote or (path.exists() and kind not in known)):
        return f"csv:{dataset}"
    require(
        kind in known,
        f"There is no folder or CSV file {dataset!r}. Data sets are named as "
        f"{', '.join(DATASETS)}, or tfds:NAME for any other of TensorFlow "
        "Datasets.",
    )
    return dataset


def info(dataset):
    """The `DatasetInfo` of a name that `load` takes.

    A TFDS name may end in a config or version: "imagenette/160px-v2".
    """
    name = dataset.removeprefix("tfds:").split("/")[0].split(":")[0]
    return DATASETS.get(name, DatasetInfo())
