"""The JSON files of a repository, of each library that writes them.

Every function takes the content of config.json and `read`, (name of a file) ->
its content or None, and gives fields of `repositories.Repository`. It refuses
what no network of this library computes: weights alone would not show it.
"""

import re

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.labels import cards
from keras_resnet.networks import specs
from keras_resnet.weights import preprocessing

OWN = "keras_resnet"  # the key that marks this library's config.json
# timm's names of networks. We have no `d` of its resnetv2.
_TIMM = re.compile(r"resnet(?P<v2>v2_)?(?P<depth>\d+)(?P<d>d?)")
# What timm's `model_args` may hold: the others would change the network.
_TIMM_SIZES = {"layers": "depths", "channels": "filters"}
_TIMM_USUAL = {"global_pool": "avg", "in_chans": 3}
_TIMM_FREE = {"num_classes", "drop_rate", "drop_path_rate"}

# {block_type of KerasHub: (ours, suffix of a variant's name)}.
_KERAS_HUB_BLOCKS = {
    "basic_block": ("basic", ""),
    "bottleneck_block": ("bottleneck", "_v1_5"),
    "basic_block_vd": ("basic", "_d"),
    "bottleneck_block_vd": ("bottleneck", "_d"),
}


def timm_variant(architecture):
    """Our name of a network of timm, or a name that no network has."""
    found = _TIMM.fullmatch(architecture)
    if not found or (found["v2"] and found["d"]):
        return architecture
    depth = int(found["depth"])
    if found["v2"]:
        return f"resnet{depth}_v2_timm"
    return f"resnet{depth}" + (
        "_d" if found["d"] else "_v1_5" if depth >= 50 else ""
    )


def timm_architecture(variant):
    """timm's name of one of our networks, or None."""
    depth = re.match(r"resnet(\d+)", variant)
    if not depth:  # others have the same name in both, or timm has none
        return variant if variant.startswith(("wide_", "resnext")) else None
    names = (f"resnet{depth[1]}", f"resnetv2_{depth[1]}", f"resnet{depth[1]}d")
    theirs = {timm_variant(name): name for name in names}
    of_imagenet = int(depth[1]) in (18, 34, 50, 101, 152, 200)
    return theirs.get(variant) if of_imagenet else None


def timm_arguments(own):
    """timm's `model_args` for sizes that differ from its network's.

    Args:
        own: {"variant", "depths", "filters"}, of a network that timm has.
    """
    row, sizes = specs.VARIANTS[own["variant"]], {}
    for theirs, ours in _TIMM_SIZES.items():
        if tuple(own[ours]) != getattr(row, ours):
            wider = _wider(own["variant"]) if ours == "filters" else 1
            sizes[theirs] = [number * wider for number in own[ours]]
    return sizes


def _wider(variant):
    """timm's `channels` as a multiple of our filters."""
    row = specs.VARIANTS[variant]
    v2 = row.placement == "full_preact"
    return specs.BLOCKS[row.block].expansion if v2 else 1


def of_timm(config, read):
    """The fields from timm's config.json."""
    del read
    seen = config.get("pretrained_cfg", config)
    arguments = config.get("model_args") or {}
    others = {
        name: arguments[name]
        for name in arguments.keys() - _TIMM_SIZES.keys() - _TIMM_FREE
        if arguments[name] != _TIMM_USUAL.get(name)
    }
    require(
        not others,
        f"its network was made with {others}: no network of this library.",
    )
    variant = timm_variant(config["architecture"])
    sizes = {
        ours: arguments[theirs]
        for theirs, ours in _TIMM_SIZES.items()
        if theirs in arguments
    }
    if "filters" in sizes and variant in specs.VARIANTS:
        wider = _wider(variant)
        sizes["filters"] = [width // wider for width in sizes["filters"]]
    number = config.get("num_classes", seen.get("num_classes"))
    return {
        **_variant(variant, config["architecture"], **sizes),
        "seen": preprocessing.of_timm(seen),
        "num_classes": number,
        "class_names": _timm_names(config, seen, number),
    }


def _timm_names(config, seen, number):
    names = config.get("label_names", seen.get("label_names")) or ()
    words = config.get("label_descriptions") or {}
    if isinstance(names, dict):
        names = [names[str(index)] for index in range(number)]
    return tuple(str(words.get(name, name)).strip() for name in names)


def of_transformers(config, read):
    """The fields from transformers' config.json of a ResNet."""
    other = {
        name: config[name]
        for name, usual in {
            "num_channels": 3,
            "embedding_size": 64,
            "hidden_act": "relu",
            "downsample_in_first_stage": False,
            "downsample_in_bottleneck": False,
        }.items()
        if config.get(name, usual) != usual
    }
    require(not other, f"its network has {other}: none of this library.")
    block = config.get("layer_type", "bottleneck")
    depths = config.get("depths", (3, 4, 6, 3))
    widths = config.get("hidden_sizes", (256, 512, 1024, 2048))
    narrower = 4 if block == "bottleneck" else 1
    suffix = "_v1_5" if block == "bottleneck" else ""
    is_whole = "ResNetForImageClassification" in config.get("architectures", ())
    labels = config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    names = [str(labels[str(i)]).strip() for i in range(len(labels))]
    return {
        **_variant(
            _deepest(block, suffix, depths),
            depths=depths,
            filters=[width // narrower for width in widths],
        ),
        "seen": preprocessing.of_transformers(
            _needed(read, "preprocessor_config.json")
        ),
        "num_classes": len(names) if is_whole else 0,
        "class_names": tuple(names),
        "multi_label": config.get("problem_type")
        == "multi_label_classification",
    }


def of_keras_hub(config, read):
    """The fields from a preset of KerasHub."""
    backbone = config["config"]
    block, suffix = lookup(
        _KERAS_HUB_BLOCKS, backbone["block_type"], "block of KerasHub"
    )
    stem = [64]
    if suffix == "_d":
        stem = [32, 32, 64]
    elif backbone["use_pre_activation"]:
        suffix = "_v2_timm"
    depths = backbone["stackwise_num_blocks"]
    require(
        list(backbone["input_conv_filters"]) == stem
        and list(backbone["stackwise_num_strides"]) == [1, 2, 2, 2],
        f"its stem or its strides are of no network of this library: "
        f"{backbone['input_conv_filters']}, "
        f"{backbone['stackwise_num_strides']}.",
    )
    task = (read("task.json") or {}).get("config", {})
    require(
        task.get("pooling", "avg") == "avg",
        f"its classifier pools by {task.get('pooling')!r}, not 'avg'.",
    )
    return {
        **_variant(
            _deepest(block, suffix, depths),
            depths=depths,
            filters=backbone["stackwise_num_filters"],
        ),
        "seen": preprocessing.of_keras_hub(
            _needed(read, "image_converter.json")
        ),
        "num_classes": task.get("num_classes", 0),
    }


def of_own(config, read):
    """The fields from what `keras_resnet.push` writes."""
    own = config[OWN]
    names, fields = (
        _needed(read, n, raw=True) for n in (cards.LABELS, cards.CARD)
    )
    card = cards.card_of(names, fields, "the repository")
    network = {"variant": None, "choices": {}}
    if own["variant"] in specs.VARIANTS:
        network = _variant(
            own["variant"], depths=own["depths"], filters=own["filters"]
        )
    return {
        **network,
        "seen": preprocessing.of_card(card),
        "num_classes": len(card.class_names),
        "class_names": card.class_names,
        "multi_label": card.multi_label,
        "card": card,
    }


# (whether it knows a config.json, what reads it); the first that does is taken.
KINDS = (
    (lambda config: OWN in config, of_own),
    (lambda config: "architecture" in config, of_timm),
    (lambda config: config.get("model_type") == "resnet", of_transformers),
    (lambda c: c.get("class_name") == "ResNetBackbone", of_keras_hub),
)


def _needed(read, name, **how):
    found = read(name, **how)
    require(found is not None, f"there is no {name} beside its config.json.")
    return found


def _deepest(block, suffix, depths):
    """The variant of these depths, else the shallowest with such units."""
    numbers = (50, 101, 152) if block == "bottleneck" else (18, 34)
    names = [f"resnet{number}{suffix}" for number in numbers]
    for name in names:
        row = specs.VARIANTS.get(name)
        if row and row.depths == tuple(depths):
            return name
    return names[0]


def _variant(name, theirs=None, **sizes):
    """{"variant", "choices"} of a name; the choices are sizes that differ."""
    require(
        name in specs.VARIANTS,
        f"its network is {theirs or name!r}: none of this library.",
    )
    row = specs.VARIANTS[name]
    sizes = {key: tuple(value) for key, value in sizes.items()}
    require(
        all(type(n) is int and n > 0 for v in sizes.values() for n in v),
        f"its sizes are no numbers: {sizes}.",
    )
    choices = {k: v for k, v in sizes.items() if v != getattr(row, k)}
    return {"variant": name, "choices": choices}
