"""Where in a file a network is: the prefix of its tensors' names.

DataParallel writes `module.`, a detector `backbone.`, MoCo `encoder_q.`; a
nested dictionary counts too, as `state_dict.`. Prefixes need not be known in
advance: each layout has a tensor that is in all of its files, and a network is
where that tensor is.
"""

from keras_resnet.errors import require
from keras_resnet.weights import layouts

_MAX_NETWORKS = 50  # in a file: each is compared with the model


def candidates(names):
    """All prefixes under which names of a known layout lie, in order.

    Raises:
        keras_resnet.UsageError: if there are very many.
    """
    ends = {layout.signature for layout in layouts.LAYOUTS.values()}
    found = {
        name.removesuffix(end)
        for name in names
        for end in ends
        if f".{name}".endswith((f".{end}", f"/{end}"))
    }
    require(
        len(found) <= _MAX_NETWORKS,
        f"holds more than {_MAX_NETWORKS} networks.",
    )
    return sorted(found)


def choose(found, wanted, differences):
    """The prefix of the one network in a file that is the model's.

    Args:
        found: from `candidates`.
        wanted: the prefix that the user named, or the first part of it; None
            for the one that fits.
        differences: prefix -> list of texts, what of the model's body is
            missing. Called only if there are several prefixes.

    Raises:
        keras_resnet.UsageError: if several fit, none of several fits, or none
            is what was wanted.
    """
    if wanted is not None:
        return _wanted(found, wanted)
    if len(found) < 2:
        return (*found, "")[0]
    faults = {prefix: differences(prefix) for prefix in found}
    fitting = [prefix for prefix in found if not faults[prefix]]
    first = [f"{p!r}: {lines[0]}" for p, lines in faults.items() if lines]
    require(
        fitting,
        f"holds {len(found)} networks, and none is the model's. "
        + "; ".join(first[:5]),
    )
    require(
        len(fitting) == 1,
        f"holds {len(fitting)} networks that fit, under {_listed(fitting)}. "
        "Say which: keras_resnet.load_weights(model, path, "
        f"prefix={fitting[0]!r}).",
    )
    return fitting[0]


def _wanted(found, wanted):
    exact = [p for p in found if p.rstrip("./") == wanted.rstrip("./")]
    starts = (f"{wanted.rstrip('./')}.", f"{wanted.rstrip('./')}/")
    fitting = exact or [p for p in found if p.startswith(starts)]
    require(
        len(fitting) == 1,
        f"has {len(fitting)} networks under the prefix {wanted!r}. Those of "
        f"the file are under {_listed(found) or 'none'}.",
    )
    return fitting[0]


def _listed(prefixes):
    more = f" and {len(prefixes) - 8} more" if len(prefixes) > 8 else ""
    return ", ".join(map(repr, prefixes[:8])) + more


def under(tensors, prefix, found):
    """{name without the prefix: tensor} of one network and what is with it.

    Args:
        tensors: {name: tensor} of the file.
        prefix: one of `found`, or "".
        found: from `candidates`.
    """
    others = tuple(p for p in found if len(p) > len(prefix))
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix) and not (others and name.startswith(others))
    }


def around(tensors, prefix, found):
    """[(outer prefix, {name without it: tensor})], the nearest first.

    These are the tensors around a network that belong to no network.
    """
    outside = {k: v for k, v in tensors.items() if not k.startswith(prefix)}
    parts = prefix.split(".")[:-1]
    levels = [".".join([*parts[:n], ""]) for n in reversed(range(len(parts)))]
    others = tuple(found)
    return [
        (
            level,
            {
                name.removeprefix(level): tensor
                for name, tensor in outside.items()
                if name.startswith(level) and not name.startswith(others)
            },
        )
        for level in levels
    ]


def beside(names, prefix):
    """The parts of a file that names are in, as `state_dict.decoder`."""
    parts = prefix.split(".")

    def part(name):
        pieces = name.split(".")
        shared = 0
        while pieces[shared : shared + 1] == parts[shared : shared + 1] != []:
            shared += 1
        return ".".join(pieces[: shared + 1])

    return sorted({part(name) for name in names})
