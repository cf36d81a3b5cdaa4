"""Data that a Python program brings, under a name that a recipe can have.

A recipe names its data set by a string; for data in memory it is
"memory:NAME-DIGEST". The digest is of the examples, so that a run resumes only
with the same data. Only the process that brought the data knows the name.
"""

import dataclasses
import hashlib
from collections.abc import Mapping

import numpy as np

from keras_resnet.data.examples import order
from keras_resnet.data.examples import own_examples
from keras_resnet.data.examples.splits import Split
from keras_resnet.data.stores import layouts
from keras_resnet.errors import lookup
from keras_resnet.errors import require

# {name: {"train": `Split`, "validation": `Split`}}.
HELD: dict[str, dict[str, Split]] = {}

# How many examples the digest covers if they are not pixels in memory.
_LOOKED_AT = 64


def hold(data, *, class_names=None, validation=None):
    """Keeps data in this process; `datasets.load` finds it by its name.

    Args:
        data: arrays, (images, labels) or {"image": images, "label": labels},
            as `Split.from_arrays` takes them; a source as `Split.from_source`
            does; a `Split`; or two of these: a pair, or a mapping with "train"
            and "validation" (or val, valid, test), as in Hugging Face.
        class_names: K names, for arrays and sources.
        validation: part of each class to hold out if `data` has none for
            validation. Default: 0.2. For a seed see `Split.hold_out`.

    Returns:
        str, "memory:NAME-DIGEST". The digest covers the number of examples,
        the class names, all labels, and all pixels if they are in memory,
        otherwise 64 examples.

    Raises:
        keras_resnet.UsageError: as the constructors of `Split`, or if `data`
            has examples for validation and `validation` is given too.
    """
    train, other = _pair(data)
    train = split_of(train, class_names)
    if other is None:
        choice = {} if validation is None else {"validation": validation}
        train, other = train.hold_out(**choice)
    else:
        require(
            validation is None,
            "validation= holds a part out where nothing is for validation. "
            "Received: data for both.",
        )
        other = split_of(other, class_names or train.class_names)
    parts = {"train": train, "validation": other}
    digest = hashlib.sha256(b"".join(map(_digest, parts.values()))).hexdigest()
    name = f"{train.name.partition('/')[0]}-{digest[:12]}"
    HELD[name] = {
        key: dataclasses.replace(split, name=f"memory:{name}/{key}")
        for key, split in parts.items()
    }
    return f"memory:{name}"


def find(name, split):
    """A `Split` that `hold` keeps.

    Raises:
        keras_resnet.UsageError: if this process does not keep it.
    """
    require(
        name in HELD,
        f"memory:{name} is data that a Python program brought, and they are "
        "not in this process. Start that program again, which goes on where "
        "it was stopped: keras_resnet.train(data, workdir). A command can "
        "take other images instead: --dataset=folder:PATH.",
    )
    return lookup(HELD[name], split, "split")


def _pair(data):
    """(data to train on, data for validation or None)."""
    if isinstance(data, Mapping) and "train" in data:
        names = [n for n in layouts.SPLITS["validation"] if n in data]
        return data["train"], data[names[0]] if names else None
    if isinstance(data, Mapping) and {"image", "label"} <= set(data):
        return (data["image"], data["label"]), None
    if isinstance(data, tuple) and len(data) == 2 and not _are_arrays(data):
        return data
    return data, None


def _are_arrays(pair):
    """Whether a pair is (images, labels), and not data for two splits."""
    return isinstance(pair, tuple) and any(
        isinstance(one, (np.ndarray, list)) for one in pair
    )


def split_of(data, class_names=None):
    """All examples of arrays, of a source or of a `Split`, as a `Split`.

    Args:
        data, class_names: as for `hold`.

    Raises:
        keras_resnet.UsageError: as the constructors of `Split`.
    """
    if isinstance(data, Split):
        require(
            class_names is None or tuple(class_names) == data.class_names,
            f"class_names= are not those of {data.name}, which has its own. "
            f"Received: {', '.join(class_names or ())}.",
        )
        return data
    if isinstance(data, Mapping):
        data = _pair(data)[0]
    if _are_arrays(data) and len(data) == 2:
        return Split.from_arrays(*data, class_names=class_names)
    return Split.from_source(data, class_names=class_names)


def _digest(split):
    """sha256 of what a run depends on: bytes."""
    found = hashlib.sha256(f"{split.num_examples}\n".encode())
    found.update("\n".join(split.class_names).encode())
    found.update(b"" if split.labels is None else split.labels.tobytes())
    if split.pixels is not None:
        found.update(str(split.pixels.shape).encode())
        found.update(np.ascontiguousarray(split.pixels))
        return found.digest()
    for index in order.a_few(split.num_examples, _LOOKED_AT):
        found.update(own_examples.image_digest(split, index))
    return found.digest()
