"""The classifier of a file: the layout's, one of another name, or none."""

from absl import logging

from keras_resnet.errors import require
from keras_resnet.weights import layouts

HEAD = ("logits/kernel", "logits/bias")


def check_meaning(model, file, new_head):
    """Refuses a classifier whose numbers mean something else."""
    if "probabilities" not in [layer.name for layer in model.layers]:
        return
    head = model.get_layer("probabilities")
    theirs, ours = file.metadata.get("head"), head.activation.__name__
    require(
        new_head or {theirs, ours} != {"softmax", "sigmoid"},
        f"its classifier ends in a {theirs}, the model's in a {ours}. Build "
        "the model with the same classifier_activation, or give classes= to "
        "build, or new_head=True to load_weights, to take it over as it is.",
    )


def adopt(layout, variables, tensors, around):
    """Gives a classifier of another name the layout's name.

    It must be one dense layer on the network's features with nothing beside it,
    and the only such layer: a projector of several layers is no classifier.

    Args:
        layout: `Layout`.
        variables: {path: variable} of the model.
        tensors: {name: `Stored`} of the network; changed.
        around: from `prefixes.around`; searched if there is none among
            `tensors`.

    Returns:
        List of the names, in the file, of what was taken from `around`.
    """
    own = [layouts.their_name(layout, path) for path in HEAD]
    has_own = any(name in tensors for name in own)
    if not layout.torch or HEAD[0] not in variables or has_own:
        return []
    features = variables[HEAD[0]].shape[0]
    for level, scope in [("", tensors), *around]:
        found = _dense_layers(layout, scope, features)
        if found:
            break
    if len(found) != 1:
        return []
    theirs = [f"{found[0]}.weight", f"{found[0]}.bias"]
    for name, their_name in zip(own, theirs, strict=True):
        tensors[name] = scope.pop(their_name)
    logging.warning("The classifier was read from %r.", f"{level}{found[0]}.")
    return [] if scope is tensors else [f"{level}{name}" for name in theirs]


def _dense_layers(layout, tensors, features):
    """Names of the dense layers that are alone in their part of a file."""
    found = []
    for names in _parts(tensors).values():
        layer = names[0].rpartition(".")[0]
        if set(names) != {f"{layer}.weight", f"{layer}.bias"}:
            continue
        shape = tensors[f"{layer}.weight"].shape
        if _is_dense(layout, shape) and shape[1] == features:
            found += [layer] * (tensors[f"{layer}.bias"].shape == shape[:1])
    return found


def _is_dense(layout, shape):
    """Whether it is a dense layer's; a convolution may be a segmenter's."""
    return len(shape) == 2 or (layout.head_is_conv and shape[2:] == (1, 1))


def _parts(names):
    """{first part of a name: names}."""
    parts = {}
    for name in names:
        parts.setdefault(name.split(".")[0], []).append(name)
    return parts


def choose(layout, variables, tensors, new_head):
    """Removes the classifier from both if it is not to be loaded.

    Args:
        layout: `Layout`.
        variables: {path: variable} of the model; changed.
        tensors: {name: `Stored`} of the network; changed.
        new_head: whether the model's classifier may stay as it is.
    """
    names = {path: layouts.their_name(layout, path) for path in HEAD}
    heads = {path: tensors[n] for path, n in names.items() if n in tensors}
    if HEAD[0] not in variables:
        left_out = _leave_out(layout, variables, tensors)
        if left_out:
            logging.info(
                "The model has no classifier: the file's is left out, %s.",
                ", ".join(left_out),
            )
        return
    fits = len(heads) == len(HEAD) and all(
        layouts.our_shape(layout, path, stored.shape)
        == tuple(variables[path].shape)
        for path, stored in heads.items()
    )
    if fits or not new_head or len(heads) == 1:
        return
    shape = tuple(variables.pop(HEAD[0]).shape)
    del variables[HEAD[1]]
    left_out = _leave_out(layout, variables, tensors)
    logging.warning(
        "The classifier keeps its present weights, %s: the file has %s%s.",
        shape,
        f"another, of {heads[HEAD[0]].shape}" if heads else "none",
        f"; left out: {', '.join(left_out)}" if left_out else "",
    )


def _leave_out(layout, variables, tensors):
    """Removes what comes after the body; returns the names of those parts.

    In PyTorch's files that is any part with a dense layer: a body has none.
    """
    head = {layouts.their_name(layout, path) for path in HEAD}
    theirs = (layouts.their_name(layout, path) for path in variables)
    body = _parts(filter(None, theirs))
    dense = {
        part
        for part, names in _parts(tensors).items()
        if layout.torch and any(len(tensors[n].shape) == 2 for n in names)
    } - body.keys()
    left_out = [n for n in tensors if n in head or n.split(".")[0] in dense]
    for name in left_out:
        del tensors[name]
    return sorted(_parts(left_out))
