"""`build`: any published network, or a change of one, with its weights."""

import dataclasses
import inspect
import os
import re
from collections.abc import Sequence

import keras
import numpy as np

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.networks import heads
from keras_resnet.networks import network
from keras_resnet.networks import outputs
from keras_resnet.networks import specs
from keras_resnet.weights import loading
from keras_resnet.weights import published as published_lib
from keras_resnet.weights import repositories
from keras_resnet.weights import transfer


def build(
    variant: str,
    *,
    weights: str | os.PathLike | None = None,
    include_top: bool = True,
    input_shape: tuple[int | None, int | None, int] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | None = "softmax",
    name: str | None = None,
    dtype: "str | keras.DTypePolicy | None" = None,
    pixel_mean: "Sequence[float] | np.ndarray | None" = None,
    pixel_std: Sequence[float] | None = None,
    remat: bool = False,
    output_stride: int | None = None,
    zero_gamma: bool = False,
    stochastic_depth: float = 0.0,
    **choices,
) -> outputs.ResNet:
    """Builds any published network, or a change of one.

    The network takes RGB pixels 0..255, uint8 or float, and normalises them
    itself. It is fully convolutional: any input size works, weights do not
    depend on it.

    References: P1 Table 1 and sec. 4.2; P2 Fig. 4 and appendix.

    Args:
        variant: key of `keras_resnet.VARIANTS`.
        weights: None for random initialisation, the tag of published weights
            ("imagenet", "torchvision:IMAGENET1K_V2", ...; see
            `keras_resnet.list_weights`), a repository of the hub
            ("hf://OWNER/NAME", with "@REVISION" or without), or the path of a
            file of the same network, whoever wrote it
            (`keras_resnet.load_weights`). With a repository, the model's `card`
            has the class names and the view.
        include_top: whether the network ends in its K-way classifier.
        input_shape: (H, W, C); H and W may be None for images of any size.
            Default: the size that the variant was published for. With C = 1
            `grey_from_rgb` converts published weights; for weights of a file,
            build for 3 channels and call it yourself.
        pooling: without the top, None (feature maps), "avg" or "max".
        classes: K, an int >= 1. Default: as published. If it is given and
            the file in `weights` has another number, the classifier stays
            random and a warning says so.
        classifier_activation: "softmax"; "sigmoid" for labels that do not
            exclude each other; or None for logits.
        name: of the model. Default: `variant`.
        dtype: dtype policy: "float32", "mixed_bfloat16", "mixed_float16",
            "bfloat16", "float16" or "float64". Default: Keras' global one.
            Input, normalisation, logits and probabilities use float32 at least.
        pixel_mean, pixel_std: C floats, 0..255. Default: those of the
            published weights, otherwise ImageNet's or CIFAR's, by the variant.
            `pixel_mean` may be an image, an array (H, W, C), for a network of
            that one size (P1 sec. 3.4, 4.2).
        remat: whether to recompute units for the gradient, so that training
            keeps only their inputs. It takes a third more time; very deep
            networks then fit on one device.
        output_stride: image pixels from one position of the last map to the
            next; segmenters want 8 or 16. Later strides become dilations, with
            the same weights under the same names. Default: the network's own,
            32 for ImageNet and 4 for CIFAR.
        zero_gamma: whether the scale of the BN that ends a branch starts at 0,
            so that a unit begins as its shortcut (Goyal et al. 2017, arXiv
            1706.02677, sec. 5.1). Needs random weights and a placement whose
            branches end in BN: not pre-activation.
        stochastic_depth: the probability, 0 to 1, that training skips the last
            branch for an example; earlier branches have lower ones, linear in
            the depth (Huang et al. 2016, arXiv 1603.09382, eq. 4).
        **choices: other fields of the row: `shortcut="A"`,
            `placement="full_preact"`, `block=...`, `depths=...`,
            `filters=...`. `block`, `placement` and `shortcut` also take a row
            that is not in the tables, such as
            `dataclasses.replace(specs.SHORTCUTS["exclusive_gating"],
            gate_bias=-7.0)`.

    Returns:
        `keras.Model` with `pyramid_outputs` (`outputs.ResNet`), from
        (B, H, W, C) pixels to float32 (B, K) probabilities,
        its layers `pixels, stem, stage1_unit1, ..., final, pool, logits,
        probabilities`.

    Raises:
        keras_resnet.UsageError: if a name is unknown or a value cannot work.

    Example:

    >>> model = build("resnet110", classes=10, shortcut="B")
    """
    row = _row(variant, choices)
    _check_name(name or variant)
    require(
        not zero_gamma or weights is None,
        "zero_gamma is of random weights: those of a file have scales of "
        f"their own. Received both: weights={weights!r}.",
    )
    stem = network.resolve("stem", row.stem)
    input_shape = network.check_input_shape(input_shape, stem)
    path, published = None, None
    if weights is not None:
        path, published = published_lib.locate(variant, weights, row)
    # A repository has classes of its own.
    default_classes = getattr(published, "num_classes", 0) or stem.classes

    def assemble(input_shape, mean=None, std=None):
        if published is not None:
            mean = published.pixel_mean if mean is None else mean
            std = published.pixel_std if std is None else std
        return network.assemble(
            row,
            input_shape=input_shape,
            mean=mean,
            std=std,
            head=heads.Head(
                include_top=include_top,
                pooling=pooling,
                classes=default_classes if classes is None else classes,
                activation=classifier_activation,
            ),
            name=name or variant,
            policy=dtype,
            remat=remat,
            output_stride=output_stride,
            zero_gamma=zero_gamma,
            stochastic_depth=stochastic_depth,
        )

    model = assemble(input_shape, pixel_mean, pixel_std)
    if path is None:
        return model
    # All published weights are for RGB.
    is_grey = published is not None and input_shape[-1] == 1
    receiver = assemble((*input_shape[:2], 3)) if is_grey else model
    if isinstance(published, repositories.Repository):
        loading.load_repository(receiver, published, classes is not None)
        model.card = receiver.card
    else:
        loading.load_weights(receiver, path, new_head=classes is not None)
    if is_grey:
        transfer.grey_from_rgb(model, receiver)
    return model


def build_repository(repository):
    """The whole network that a repository describes, with its card.

    Args:
        repository: `repositories.Repository`.

    Raises:
        keras_resnet.UsageError: if it has no classifier, or as `build`.
    """
    handle, size = repository.files.handle, repository.seen.crop
    require(
        repository.num_classes,
        f"{handle} has no classifier. Its weights go into "
        f"build({repository.variant!r}, weights={handle!r}, "
        "include_top=False).",
    )
    return build(
        repository.variant,
        weights=repository,
        input_shape=(size, size, 3),
        classifier_activation=(
            "sigmoid" if repository.multi_label else "softmax"
        ),
        **repository.choices,
    )


def _check_name(name):
    # TensorFlow would refuse it when the model is first called.
    require(
        isinstance(name, str)
        and re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.-]*", name),
        "The name of a model must be letters, digits, '_', '.' and '-'. "
        f"Received: {name!r}.",
    )


def _row(variant, choices):
    row = lookup(specs.VARIANTS, variant, "variant")
    fields = {field.name for field in dataclasses.fields(row)} - {"reference"}
    arguments = sorted(fields | set(inspect.signature(build).parameters))
    for choice in choices:
        lookup(dict.fromkeys(arguments), choice, "argument of build()")
    return dataclasses.replace(row, **choices)
