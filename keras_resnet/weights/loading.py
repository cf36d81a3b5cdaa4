"""Weights from files and to them, all or nothing."""

import os
import pathlib
import tempfile

import keras
import numpy as np
import safetensors.numpy
from keras import ops

from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.networks import outputs
from keras_resnet.weights import hub
from keras_resnet.weights import identity
from keras_resnet.weights import layouts
from keras_resnet.weights import matching
from keras_resnet.weights import published
from keras_resnet.weights import readers
from keras_resnet.weights import repositories

_WRITTEN = ("torchvision", "timm_resnet_d", "timm_resnetv2", "keras_resnet")


def load_weights(
    model: keras.Model,
    source: str | os.PathLike,
    *,
    sha256: str | None = None,
    new_head: bool = False,
    prefix: str | None = None,
) -> None:
    """Loads the weights of `model` from a file, whoever wrote it.

    Format and layout are recognised from the content: our `.weights.h5`,
    `.keras` (of which only the weights are read) and `.safetensors`, state
    dicts of torchvision, timm and timm's resnetv2 as `.safetensors` or `.pth`,
    keras.applications' ResNets of both years, and KerasHub's ResNets. Every
    tensor of the file must have its place in the model and the other way
    round, with equal shapes and finite values; otherwise nothing is assigned.

    The network may lie under a prefix (`module.`, `backbone.`) or in a nested
    dictionary (`state_dict`, `model_ema`), and its classifier may have another
    name: it is found by its shapes, and a warning says where and what was left
    out beside it. A pickle is read without PyTorch and runs no code.

    If a file or a repository has its own pixel constants, they are loaded.
    Files of PyTorch and of KerasHub have none, so those that the model was
    built with stay. A repository also sets `model.card`, its class names and
    view; to None if the model has another classifier.

    Args:
        model: `keras.Model` from `keras_resnet.build`. Without its top, the
            file's classifier is left out.
        source: path of the file, or of the folder of a KerasHub preset; or
            a repository, "hf://OWNER/NAME[@REVISION]".
        sha256: hex digest that the file must have, or None.
        new_head: whether the model's classifier may stay as it is if the file
            has none or one of another number of classes. A warning says so.
        prefix: which network to take from a file that has several:
            "encoder_q.", "model_ema". The names of nested dictionaries count
            as part of it.

    Raises:
        keras_resnet.UsageError: if there is no such file, it is damaged or of
            another format, its weights are not those of `model`, or several
            networks in it are.
    """
    identity.of_model(model)
    if hub.is_handle(source):
        require(
            sha256 is None, "sha256 is of a file: a repository has its own."
        )
        repository = repositories.describe(source)
        load_repository(model, repository, new_head, prefix)
        published.set_pixels(model, repository)
        return
    file = readers.read(source, sha256)
    try:
        values = matching.values(model, file, new_head, prefix)
    except UsageError as error:
        raise UsageError(
            f"{str(source)!r} does not hold weights for {model.name!r}: {error}"
        ) from error
    for variable in model.weights:
        if variable.path in values:
            # A copy, so that the file's content need not stay in memory.
            variable.assign(np.array(values[variable.path]))


def load_repository(model, repository, new_head=False, prefix=None):
    """Gives a model the weights of a `repositories.Repository`, and its card.

    The model's pixel constants stay, unless the weights' file has some.
    """
    card = repository.card_of(model)
    same = outputs.is_multi_label(model) == repository.multi_label
    head = [x.activation for x in model.layers if x.name == "probabilities"]
    if card is not None and head and not same:
        card = None
        wanted = "sigmoid" if repository.multi_label else "softmax"
        require(
            new_head,
            f"The classifier of {repository.files.handle} ends in a {wanted}, "
            f"the model's in a {head[0].__name__}. Build the model with "
            f"classifier_activation={wanted!r}, or give classes= to build, "
            "or new_head=True to load_weights, to take it over as it is.",
        )
    load_weights(model, repository.path, new_head=new_head, prefix=prefix)
    model.card = card


def save_weights(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    layout: str = "torchvision",
) -> None:
    """Writes the weights of `model` as a safetensors file.

    PyTorch loads it with
    `net.load_state_dict(safetensors.torch.load_file(path))`. PyTorch's networks
    have no pixel constants. These are in the file's metadata as `pixel_mean`
    and `pixel_std`, RGB 0..255 (for a mean image all H * W * C numbers), and
    `load_weights` reads them back.

    Args:
        model: `keras.Model` from `keras_resnet.build`.
        path: of the file, ending in `.safetensors`. Replaced as a whole.
        layout: "torchvision" (torchvision, timm's resnet), "timm_resnet_d",
            "timm_resnetv2" or "keras_resnet" (our own names, any network).

    Raises:
        keras_resnet.UsageError: if that library has no such network, or an
            argument cannot work.
    """
    path = pathlib.Path(path)
    lookup(dict.fromkeys(_WRITTEN), layout, "layout of save_weights")
    require(
        path.name.endswith(".safetensors"),
        f"path must end in .safetensors. Received: {str(path)!r}.",
    )
    table = layouts.LAYOUTS[layout]
    network = identity.of_model(model)
    own = layout == "keras_resnet"
    if not own:
        theirs = identity.of_layout(
            table,
            network.depths,
            bottleneck=len(network.block.kernels) == 3,
            width=network.block.widths[0],
            groups=network.block.groups,
        )
        identity.require_same(model, network, theirs, layout)
    _write(path, _tensors(model, table), _metadata(model))


def _tensors(model, layout):
    tensors = {}
    for variable in model.weights:
        name = layouts.their_name(layout, variable.path)
        if name is None:  # pixels
            continue
        array = ops.convert_to_numpy(variable.value)
        if array.dtype.kind != "f":  # bfloat16, which NumPy lacks
            array = array.astype("float32")
        tensors[name] = layouts.theirs_from_ours(layout, variable.path, array)
        if layout.torch and name.endswith(".running_mean"):
            count = name.replace(".running_mean", ".num_batches_tracked")
            tensors[count] = np.zeros((), "int64")
    return tensors


def _metadata(model):
    values = {w.path: ops.convert_to_numpy(w.value) for w in model.weights}
    metadata = {
        f"pixel_{name}": " ".join(map(str, values[path].ravel().tolist()))
        for name, path in matching.PIXELS.items()
    }
    return {"model": model.name, **metadata}


def _write(path, tensors, metadata):
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        file = pathlib.Path(folder) / path.name
        safetensors.numpy.save_file(tensors, file, metadata=metadata)
        os.replace(file, path)
