"""A file's tensors against a model's variables: strict, both ways."""

import numpy as np
from absl import logging

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.networks import specs
from keras_resnet.weights import identity
from keras_resnet.weights import layouts

_HEAD = ("logits/kernel", "logits/bias")
PIXELS = {"mean": "pixels/mean", "std": "pixels/std"}


def values(model, file, new_head):
    """What a model's variables become, all of it checked.

    Args:
        model: `keras.Model` from `keras_resnet.build`.
        file: `formats.WeightsFile`.
        new_head: whether the classifier may keep what it has.

    Returns:
        {path of a variable: array of its shape and type}.

    Raises:
        keras_resnet.UsageError: if the file is of another network, a tensor
            is missing, left over or of another shape, or a value is not
            finite.
    """
    prefix = identity.common_prefix(file.tensors)
    tensors = {k.removeprefix(prefix): v for k, v in file.tensors.items()}
    layout = identity.recognise(tensors)
    _check_network(model, layout, file, tensors)
    weights = {variable.path: variable for variable in model.weights}
    variables = dict(weights)
    if layout.torch:  # counts batches for another kind of average
        for name in list(tensors):
            if name.endswith(".num_batches_tracked"):
                del tensors[name]
    if layout is not layouts.LAYOUTS["keras_resnet"]:
        for path in PIXELS.values():
            del variables[path]
    if "probabilities" in [layer.name for layer in model.layers]:
        _check_head(model.get_layer("probabilities"), file, new_head)
    _choose_head(layout, variables, tensors, new_head)
    places, differences = _match(layout, variables, tensors)
    require(not differences, _report(layout, differences, prefix))
    found = {
        path: layouts.ours_from_theirs(
            layout, path, *(tensors[name].read(path) for name in names)
        )
        for path, names in places.items()
    }
    if prefix:
        logging.warning("All names of the file were read without %r.", prefix)
    found.update(_pixel_values(layout, file.metadata, weights))
    return {
        path: _checked(path, array, weights[path])
        for path, array in found.items()
    }


def _check_network(model, layout, file, names):
    """Refuses another network whose names and shapes may be the same."""
    if layout is not layouts.LAYOUTS["keras_resnet"]:
        ours = identity.of_model(model)
        theirs = identity.of_tensors(layout, names)
        identity.require_same(model, ours, theirs, layout.origin)
        return
    # Strides and shortcuts without weights leave no trace in our tensors. The
    # model's name does, unless the user chose it.
    saved = file.model_name or file.metadata.get("model")
    if saved != model.name and {saved, model.name} <= specs.VARIANTS.keys():
        ours, theirs = map(identity.of_variant, (model.name, saved))
        identity.require_same(model, ours, theirs, saved)


def _check_head(head, file, new_head):
    """Refuses a classifier whose numbers mean something else."""
    theirs, ours = file.metadata.get("head"), head.activation.__name__
    require(
        new_head or {theirs, ours} != {"softmax", "sigmoid"},
        f"its classifier ends in a {theirs}, the model's in a {ours}. Build "
        "the model with the same classifier_activation, or give classes= to "
        "build, or new_head=True to load_weights, to take it over as it is.",
    )


def _choose_head(layout, variables, tensors, new_head):
    """Leaves out of both what is not to be loaded of the classifier."""
    names = {path: layouts.their_name(layout, path) for path in _HEAD}
    heads = {path: tensors[n] for path, n in names.items() if n in tensors}
    if _HEAD[0] not in variables:
        for path in heads:
            del tensors[names[path]]
        if heads:
            logging.info("The model has no classifier: the file's is left out.")
        return
    fits = len(heads) == len(_HEAD) and all(
        layouts.our_shape(layout, path, stored.shape)
        == tuple(variables[path].shape)
        for path, stored in heads.items()
    )
    if fits or not new_head or len(heads) == 1:
        return
    logging.warning(
        "The classifier keeps its present weights, %s: the file has %s.",
        tuple(variables[_HEAD[0]].shape),
        "another, of " + str(heads[_HEAD[0]].shape) if heads else "none",
    )
    for path in _HEAD:
        del variables[path]
        tensors.pop(names[path], None)


def _match(layout, variables, tensors):
    """({path: their names}, differences both ways)."""
    places, differences, used = {}, [], set()
    for path, variable in variables.items():
        name = layouts.their_name(layout, path)
        names = [n for n in (name, layouts.bias_name(layout, path)) if n]
        used.update(names)
        missing = [n for n in names or [path] if n not in tensors]
        if missing:
            differences += [f"- {n} is not in the file" for n in missing]
            continue
        places[path], expected = names, tuple(variable.shape)
        for n in names:
            shape = layouts.our_shape(layout, path, tensors[n].shape)
            if shape != expected:
                differences.append(
                    f"! {n} has the shape {shape} where the model has "
                    f"{expected}"
                )
    differences += [
        f"+ {name} {tensors[name].shape} is not in the model"
        for name in sorted(tensors.keys() - used)
    ]
    return places, differences


def _report(layout, differences, prefix):
    heads = [layouts.their_name(layout, path) for path in _HEAD]
    hint = (
        "\nFor other classes than the file's, give classes= to build, or "
        "new_head=True to load_weights."
        if any(head in line for head in heads for line in differences)
        else ""
    )
    lines = "\n  ".join(differences[:10])
    without = f", read without {prefix!r}" if prefix else ""
    return (
        f"{len(differences)} differences{without}.\n  {lines}\nBuild the "
        f"variant that the file was saved from, with its options.{hint}"
    )


def _pixel_values(layout, metadata, weights):
    """Pixel constants of the layout, or those that `save_weights` noted."""
    values = dict(layout.pixels)
    for name in PIXELS:
        text = metadata.get(f"pixel_{name}")
        if text and layout is not layouts.LAYOUTS["keras_resnet"]:
            try:
                values[name] = [float(value) for value in text.split()]
            except ValueError as error:
                raise UsageError(
                    f"pixel_{name} in the metadata must be numbers with "
                    f"spaces between. Received: {text!r}."
                ) from error
    arrays = {PIXELS[name]: np.asarray(v) for name, v in values.items()}
    for path, array in arrays.items():
        shape = tuple(weights[path].shape)
        if array.size == np.prod(shape):  # a mean image was noted flat
            arrays[path] = array.reshape(shape)
    return arrays


def _checked(path, array, variable):
    """The array in the variable's type, if it can be that variable."""
    require(
        array.dtype.kind == "f",
        f"{path} is of type {array.dtype}, which is no weight.",
    )
    require(
        array.shape == tuple(variable.shape),
        f"{path} has the shape {array.shape}, not {tuple(variable.shape)}.",
    )
    if variable.dtype in ("float16", "float32", "float64"):
        with np.errstate(over="ignore"):
            array = array.astype(variable.dtype)
    require(
        np.isfinite(array).all(), f"{path} holds values that are not finite."
    )
    if path.endswith("/moving_variance"):
        require((array >= 0).all(), f"{path} holds a negative variance.")
    if path == PIXELS["std"]:
        require((array > 0).all(), f"{path} must be > 0.")
    return array
