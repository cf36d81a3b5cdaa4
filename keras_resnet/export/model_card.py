"""README.md and config.json of a repository, in the hub's and timm's words."""

import dataclasses
import re

import keras

from keras_resnet.networks import specs
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.weights import descriptions
from keras_resnet.weights import hub
from keras_resnet.weights import identity

_TEXT = """\
---
{front}
---

# {title}

A residual network of [keras_resnet]({project}), `{variant}`: pixels 0..255 of
{size}x{size}, {classes} {kind}. It normalises its pixels itself; an image's
shorter side is resized to {resize} pixels and its centre cropped.

## How to load it

```python
import keras_resnet

model = keras_resnet.load("hf://{repository}")
print(keras_resnet.predict(model, "photo.jpg")[0])
```

`keras-resnet export hf://{repository} --formats=tflite` writes it for a phone.
{timm}
## Files

`model.safetensors` has the weights in the names of {layout}, `model.keras` the
whole network, `labels.txt` and `card.json` its class names and its view.

## Figures

{metrics}

## Recipe

{recipe}

## Licence

{licence}
"""
_TIMM = """
timm reads it too:

```python
import timm

model = timm.create_model("hf-hub:{repository}", pretrained=True)
```
"""
_PROJECT = "https://pypi.org/project/residual-networks-keras"
# The hub's names of figures; other figures keep this library's names.
_METRICS = {"top1_accuracy": "accuracy"}


def described(model, card):
    """What config.json says of a network, for this library.

    Returns:
        {"variant": key of VARIANTS or None, "depths", "filters"}.
    """
    stages = {u.name.split("_")[0]: u.filters for u in _units(model)}
    ours = identity.of_model(model)
    names = [
        name
        for name in (card.variant, *specs.VARIANTS)
        if name in specs.VARIANTS
        and _same_kind(ours, identity.of_variant(name))
    ]
    exact = [n for n in names if specs.VARIANTS[n].depths == ours.depths]
    return {
        "variant": next(iter(exact or names), None),
        "depths": list(ours.depths),
        "filters": list(stages.values()),
    }


def _units(model):
    return [layer for layer in model.layers if isinstance(layer, ResidualUnit)]


def _same_kind(ours, theirs):
    return dataclasses.replace(theirs, depths=ours.depths) == ours


def config(model, card, own, *, readable):
    """What config.json holds: a dict.

    Args:
        model, card: what is pushed.
        own: `described` of it.
        readable: whether the weights have timm's names.
    """
    variant = own["variant"]
    name = descriptions.timm_architecture(variant) if variant else None
    pixels = model.get_layer("pixels")
    theirs = {}
    strides = all(unit.dilation == (1, 1) for unit in _units(model))
    plain = strides and pixels.mean_size is None
    if readable and plain and _timm_has(name, own):
        theirs = _timm_config(model, card, own, name)
    return {**theirs, descriptions.OWN: own}


def _timm_has(name, own):
    # timm's resnetv2 rounds the width of a bottleneck to a multiple of 8.
    v2 = name and "v2" in name
    return name and (not v2 or all(n % 8 == 0 for n in own["filters"]))


def _timm_config(model, card, own, name):
    pixels = model.get_layer("pixels")
    classes, size = len(card.class_names), card.image_size
    return {
        "architecture": name,
        "num_classes": classes,
        "num_features": model.get_layer("logits").kernel.shape[0],
        "global_pool": "avg",
        "label_names": list(card.class_names),
        "model_args": descriptions.timm_arguments(own),
        "pretrained_cfg": {
            "custom_load": False,
            "input_size": [3, size, size],
            "fixed_input_size": False,
            "interpolation": "bilinear",
            "crop_pct": size / card.eval_resize,
            "crop_mode": "center",
            "mean": _fractions(pixels.mean),
            "std": _fractions(pixels.std),
            "num_classes": classes,
            "pool_size": None,
            "first_conv": "stem.conv" if "resnetv2" in name else "conv1",
            "classifier": "head.fc" if "resnetv2" in name else "fc",
        },
    }


def _fractions(variable):
    return (keras.ops.convert_to_numpy(variable) / 255).tolist()


def readme(
    repository, card, *, variant, layout, readable, recipe, metrics, licence
):
    """The text of README.md.

    Args:
        repository: "OWNER/NAME".
        card: `Card`.
        variant: of the network, or None.
        layout: whose names the weights have.
        readable: whether timm reads it.
        recipe: {field: value} that the run was given, or {}.
        metrics: {name: value}, or {}.
        licence: as the hub names it, "mit"; None for none.
    """
    return _TEXT.format(
        front=_front(repository, card, readable, metrics, licence),
        title=repository.partition("/")[2],
        repository=repository,
        project=_PROJECT,
        variant=variant or "a network of its own",
        size=card.image_size,
        resize=card.eval_resize,
        classes=len(card.class_names),
        kind="labels" if card.multi_label else "classes",
        layout=layout,
        timm=_TIMM.format(repository=repository) if readable else "",
        metrics=_table(metrics) if metrics else "None were given.",
        recipe=_table(_public(recipe)) if recipe else "None was given.",
        licence=licence or "None is stated: nobody may assume one.",
    )


def _front(repository, card, readable, metrics, licence):
    from huggingface_hub import EvalResult
    from huggingface_hub import ModelCardData

    dataset = card.public().dataset or "not stated"
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type=dataset,
            dataset_name=dataset,
            dataset_split="validation",
            metric_type=_METRICS.get(name, name),
            metric_value=value,
        )
        for name, value in metrics.items()
    ]
    tags = ["image-classification", "keras_resnet", "resnet"]
    return ModelCardData(
        license=licence,
        library_name="keras",
        pipeline_tag="image-classification",
        tags=[*tags, "timm"] if readable else tags,
        metrics=[_METRICS.get(name, name) for name in metrics] or None,
        model_name=repository.partition("/")[2],
        eval_results=results or None,
    ).to_yaml()


def _public(recipe):
    """A recipe without the paths of the machine that it ran on."""
    return {
        name: value
        for name, value in recipe.items()
        if hub.is_handle(value) or not re.search(r"[/\\]", str(value))
    }


def _table(values):
    rows = [f"| {name} | {value} |" for name, value in values.items()]
    return "\n".join(["| | |", "|---|---|", *rows])
