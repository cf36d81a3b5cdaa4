"""Matches a file's tensors with a model's variables: strictly, both ways."""

import numpy as np
from absl import logging

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.networks import specs
from keras_resnet.weights import heads
from keras_resnet.weights import identity
from keras_resnet.weights import layouts
from keras_resnet.weights import prefixes
from keras_resnet.weights import torch_files

PIXELS = {"mean": "pixels/mean", "std": "pixels/std"}


def values(model, file, new_head, prefix=None):
    """What a model's variables become, all of it checked.

    Args:
        model: `keras.Model` from `keras_resnet.build`.
        file: `readers.WeightsFile`.
        new_head: whether the classifier may keep its weights.
        prefix: of the network's names in the file, or the first part of it;
            None for the one network that fits.

    Returns:
        {path of a variable: array of its shape and type}; arrays may be views
        of the file's content.

    Raises:
        keras_resnet.UsageError: if the file is of another network, or has
            several that fit, a tensor is missing, left over or of another
            shape, or a value is not finite.
    """
    heads.check_meaning(model, file, new_head)
    found = prefixes.candidates([*file.tensors, *file.objects])
    prefix = prefixes.choose(
        found, prefix, lambda prefix: _faults(model, file, prefix, found)
    )
    layout, tensors = _network(model, file, prefix, found)
    weights = {variable.path: variable for variable in model.weights}
    variables = _variables(model, layout)
    around = prefixes.around(file.tensors, prefix, found)
    taken = heads.adopt(layout, variables, tensors, around)
    heads.choose(layout, variables, tensors, new_head)
    places, differences = _match(layout, variables, tensors)
    differences += _left_over(layout, variables, tensors)
    require(not differences, _report(layout, differences, prefix))
    read = {
        path: layouts.ours_from_theirs(
            layout, path, *(tensors[name].read(path) for name in names)
        )
        for path, names in places.items()
    }
    read.update(_pixel_values(layout, file.metadata, weights))
    checked = {
        path: _checked(path, array, weights[path])
        for path, array in read.items()
    }
    _tell(file, prefix, found, taken)
    return checked


def _network(model, file, prefix, found):
    """(layout, {name: `Stored`}) of the network under a prefix."""
    objects = prefixes.under(file.objects, prefix, found)
    for name, kind in objects.items() if found else ():
        raise UsageError(
            f"holds more than tensors: {prefix}{name} is an object of {kind}, "
            "which takes that code to be read. Save the model's state_dict() "
            f"alone. {torch_files.CONVERSION}"
        )
    tensors = prefixes.under(file.tensors, prefix, found)
    layout = identity.recognise(tensors)
    _check_network(model, layout, file, tensors)
    if layout.torch:  # batches are counted for another kind of average
        for name in list(tensors):
            if name.endswith(".num_batches_tracked"):
                del tensors[name]
    return layout, tensors


def _variables(model, layout):
    """{path: variable} of what a file of this layout holds."""
    pixels = (
        () if layout is layouts.LAYOUTS["keras_resnet"] else PIXELS.values()
    )
    return {v.path: v for v in model.weights if v.path not in pixels}


def _faults(model, file, prefix, found):
    """What a prefix of the file lacks of the model's body."""
    try:
        layout, tensors = _network(model, file, prefix, found)
    except UsageError as error:
        return [str(error)]
    variables = _variables(model, layout)
    for path in heads.HEAD:
        variables.pop(path, None)
    return _match(layout, variables, tensors)[1]


def _tell(file, prefix, found, taken):
    """Says under which prefix a network was found, and what was left out."""
    inside = prefixes.under(file.tensors, prefix, found)
    names = {f"{prefix}{name}" for name in inside}.union(taken)
    left_out = [name for name in file.tensors if name not in names]
    if prefix or left_out:
        parts = prefixes.beside(left_out, prefix)
        more = " ..." if len(parts) > 6 else ""
        logging.warning(
            "The names of the file were read without %r%s.",
            prefix,
            f"; left out beside them: {', '.join(parts[:6])}{more} "
            f"({len(left_out)} tensors)"
            if parts
            else "",
        )


def _check_network(model, layout, file, names):
    """Refuses another network whose names and shapes may be the same."""
    if layout is not layouts.LAYOUTS["keras_resnet"]:
        ours = identity.of_model(model)
        theirs = identity.of_tensors(layout, names)
        identity.require_same(model, ours, theirs, layout.origin)
        return
    # Our tensors do not show strides and shortcuts without weights. The
    # model's name does, unless the user chose it.
    saved = file.model_name or file.metadata.get("model")
    if saved != model.name and {saved, model.name} <= specs.VARIANTS.keys():
        ours, theirs = map(identity.of_variant, (model.name, saved))
        identity.require_same(model, ours, theirs, saved)


def _match(layout, variables, tensors):
    """({path: their names}, what is missing or of another shape)."""
    places, differences = {}, []
    for path, variable in variables.items():
        names = _their_names(layout, path)
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
    return places, differences


def _their_names(layout, path):
    names = layouts.their_name(layout, path), layouts.bias_name(layout, path)
    return [name for name in names if name]


def _left_over(layout, variables, tensors):
    used = {n for path in variables for n in _their_names(layout, path)}
    return [
        f"+ {name} {tensors[name].shape} is not in the model"
        for name in sorted(tensors.keys() - used)
    ]


def _report(layout, differences, prefix):
    names = [layouts.their_name(layout, path) for path in heads.HEAD]
    hint = (
        "\nFor other classes than the file's, give classes= to build, or "
        "new_head=True to load_weights."
        if any(name in line for name in names for line in differences)
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
        if array.size == np.prod(shape):  # a mean image was written flat
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
            array = array.astype(variable.dtype, copy=False)
    require(
        np.isfinite(array).all(), f"{path} holds values that are not finite."
    )
    if path.endswith("/moving_variance"):
        require((array >= 0).all(), f"{path} holds a negative variance.")
    if path == PIXELS["std"]:
        require((array > 0).all(), f"{path} must be > 0.")
    return array
