"""How the papers and the released code train on CIFAR, field by field.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"1K" is resnet-1k-layers, the authors' released code of P2, and "FB" is
fb.resnet.torch, whose training program runs it. 1K's README says that P2's own
results were computed in Caffe, so P2's code and paper are two protocols.
"""

import types

_CAFFE = "P2's experiments were run in Caffe (1K README)"
_FB_TRAIN = "FB train.lua"

# {protocol: {field of a recipe: (value, source)}}. All have the same fields.
PROTOCOLS = types.MappingProxyType(
    {
        "paper_2015": {
            "pixel_mean": ("image", "P1 4.2"),
            "batch_size": (128, "P1 4.2"),
            "steps": (64_000, "P1 4.2"),
            "learning_rate": (0.1, "P1 4.2"),
            "boundaries": ((32_000, 48_000), "P1 4.2"),
            # "About 400 iterations": the limit if the error stays high.
            "warmup_steps": (400, "P1 4.2; from 110 layers on"),
            "warmup_learning_rate": (0.01, "P1 4.2"),
            "warmup_error": (0.8, "P1 4.2"),
            "momentum": (0.9, "P1 4.2"),
            "momentum_rule": ("caffe", "README of P1's released models"),
            "nesterov": (False, "P1 is silent; not Caffe's default"),
            "weight_decay": (1e-4, "P1 4.2"),
            "decay": ("all", "P1 is silent; Caffe's default"),
            "augmentation": ("cifar", "P1 4.2"),
            "pad_pixels": (4, "P1 4.2"),
        },
        "paper_2016": {
            "pixel_mean": ("image", "P2 appendix: details as in P1"),
            "batch_size": (128, "P2 appendix"),
            "steps": (64_000, "P2 appendix: details as in P1"),
            "learning_rate": (0.1, "P2 appendix"),
            "boundaries": ((32_000, 48_000), "P2 appendix"),
            "warmup_steps": (400, "P2 appendix; for all depths"),
            "warmup_learning_rate": (0.01, "P2 appendix"),
            # 400 iterations whatever the error is.
            "warmup_error": (0.0, "P2 appendix"),
            "momentum": (0.9, "P2 appendix"),
            "momentum_rule": ("caffe", _CAFFE),
            "nesterov": (False, "P2 is silent; not Caffe's default"),
            "weight_decay": (1e-4, "P2 appendix"),
            "decay": ("all", "P2 is silent; Caffe's default"),
            "augmentation": ("cifar", "P2 appendix"),
            "pad_pixels": (4, "P2 appendix: details as in P1"),
        },
        "resnet_1k_layers": {
            "pixel_mean": ("channel", "FB datasets/cifar10.lua"),
            "batch_size": (64, "1K README: -batchSize 64"),
            # An epoch there is 781 batches and one of the 16 images left. Here
            # batches are full and may span two epochs, so epochs are counted
            # in images, 781.25 batches each.
            "steps": (156_250, "1K README: -nEpochs 200"),
            "learning_rate": (0.1, "FB opts.lua"),
            # From the 81st and the 122nd epoch on, after 80 and after 121.
            "boundaries": ((62_500, 94_531), f"{_FB_TRAIN}: epochs 81, 122"),
            "warmup_steps": (0, f"{_FB_TRAIN} has none"),
            "warmup_learning_rate": (0.01, "unused"),
            "warmup_error": (0.8, "unused"),
            "momentum": (0.9, "FB opts.lua"),
            "momentum_rule": ("torch", f"{_FB_TRAIN}: optim.sgd"),
            "nesterov": (True, _FB_TRAIN),
            "weight_decay": (1e-4, "FB opts.lua"),
            "decay": ("all", "FB README"),
            "augmentation": ("cifar", "FB datasets/cifar10.lua"),
            "pad_pixels": (4, "FB datasets/cifar10.lua"),
        },
    }
)


def fields(name):
    """{field: value} of a protocol, for a `recipes.Recipe`."""
    return {field: value for field, (value, _) in PROTOCOLS[name].items()}


def differences():
    """{field: {protocol: (value, source)}} of the fields that differ."""
    first, *_ = PROTOCOLS.values()
    rows = {
        field: {name: rows[field] for name, rows in PROTOCOLS.items()}
        for field in first
    }
    return {
        field: row
        for field, row in rows.items()
        if len({value for value, _ in row.values()}) > 1
    }


def table():
    """The differences as a Markdown table: a row a field, with its sources."""
    lines = [["field", *PROTOCOLS], ["---"] * (1 + len(PROTOCOLS))]
    for field, row in differences().items():
        cells = [f"`{value}` ({source})" for value, source in row.values()]
        lines.append([field, *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
