"""The tables of network parts; a network chooses one row of each.

PLACEMENTS say what surrounds the weights and the addition, BLOCKS are F,
SHORTCUTS are h, STEMS come before the first unit.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

import dataclasses

from keras_resnet.errors import require

Ops = tuple[str, ...]


def from_fields(row_type, value):
    """A row of a table, from itself or from the dict in a file."""
    if isinstance(value, row_type):
        return value
    return row_type(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """Where BN and ReLU sit around the weights and the addition (P2 Fig. 4)."""

    before: Ops = ()  # before the first weight layer
    between: Ops = ()  # between weight layers
    after: Ops = ()  # after the last weight layer, before the addition
    after_add: Ops = ()  # after the addition


PLACEMENTS = {
    "original": Placement(
        between=("bn", "relu"), after=("bn",), after_add=("relu",)
    ),
    "bn_after_add": Placement(between=("bn", "relu"), after_add=("bn", "relu")),
    "relu_before_add": Placement(between=("bn", "relu"), after=("bn", "relu")),
    "relu_preact": Placement(
        before=("relu",), between=("bn", "relu"), after=("bn",)
    ),
    "full_preact": Placement(before=("bn", "relu"), between=("bn", "relu")),
    # keras.applications, resnet.py: a convolution not followed by BN has a
    # bias.
    "full_preact_bias": Placement(
        before=("bn", "relu"), between=("bn", "relu"), after=("bias",)
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """The weight layers of one residual branch (P1 Fig. 5)."""

    kernels: tuple[int, ...]  # kernel size of each convolution, pixels
    widths: tuple[int, ...]  # filters, in multiples of the stage's filters
    strided: int  # index of the convolution that carries the stride
    groups: int = 1  # of the convolutions larger than one pixel

    @property
    def expansion(self) -> int:
        """Output filters of the branch divided by the stage's filters."""
        return self.widths[-1]

    def convolutions(self, filters: int, strides: int, dilation=(1, 1)):
        """[arguments of `operations.conv2d`] for each convolution, in order.

        Args:
            filters: of the stage.
            strides: of the unit.
            dilation: up to the strided convolution, and behind it.
        """
        require(
            not any(filters * width % self.groups for width in self.widths),
            f"A block of {self.groups} groups needs filters that they divide. "
            f"Received: filters={filters}, times {self.widths} in the block.",
        )
        return [
            (
                filters * width,
                kernel,
                strides if i == self.strided else 1,
                self.groups if kernel > 1 else 1,
                dilation[i > self.strided],
            )
            for i, (kernel, width) in enumerate(
                zip(self.kernels, self.widths, strict=True)
            )
        ]


BLOCKS = {
    "basic": Block(kernels=(3, 3), widths=(1, 1), strided=0),
    # P1 and the released Caffe nets stride in the first 1x1 ...
    "bottleneck": Block(kernels=(1, 3, 1), widths=(1, 1, 4), strided=0),
    # ... fb.resnet.torch and torchvision in the 3x3 ("v1.5").
    "bottleneck_v1_5": Block(kernels=(1, 3, 1), widths=(1, 1, 4), strided=1),
    # P2 Table 3, footnote: skip connections over one layer.
    "one_layer": Block(kernels=(3,), widths=(1,), strided=0),
    # torchvision, resnet.py. Zagoruyko and Komodakis 2016, arXiv 1605.07146;
    # Xie et al. 2016, arXiv 1611.05431: groups x filters of each in stage 1.
    "wide": Block(kernels=(1, 3, 1), widths=(2, 2, 4), strided=1),
    "resnext_32x4d": Block(
        kernels=(1, 3, 1), widths=(2, 2, 4), strided=1, groups=32
    ),
    "resnext_32x8d": Block(
        kernels=(1, 3, 1), widths=(4, 4, 4), strided=1, groups=32
    ),
    "resnext_64x4d": Block(
        kernels=(1, 3, 1), widths=(4, 4, 4), strided=1, groups=64
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shortcut:
    """h, the path around the branch (P1 sec. 3.3, P2 Fig. 2).

    `same` serves units whose input and output shapes agree, `change` the
    others; each is one of "none", "identity", "zero_pad", "projection" and
    "pooled_projection", or a kind that was registered (`shortcuts.register`).
    The sum is then `scale * h + branch_scale * F`, where gating replaces the
    scales by `1 - g` and, if it is exclusive, `g` (P2 sec. 3.1).
    """

    same: str = "identity"
    change: str = "zero_pad"
    scale: float = 1.0
    branch_scale: float = 1.0
    gate: str = "none"  # none | exclusive | shortcut_only
    gate_bias: float = 0.0  # initial value of b_g
    dropout: float = 0.0  # probability of dropping an element of h


# P2 Table 1. They apply to all units and, as ResNet-110 does, change shapes by
# option A. The gate is a 1x1 convolution with bias and a sigmoid; a BN in it
# would cancel b_g.
SHORTCUT_ABLATIONS = {
    "constant_scaling": Shortcut(scale=0.5, branch_scale=0.5),
    "constant_scaling_branch_1": Shortcut(scale=0.5),
    "exclusive_gating": Shortcut(gate="exclusive", gate_bias=-6.0),
    "exclusive_gating_bias_0": Shortcut(gate="exclusive"),
    "exclusive_gating_bias_minus_5": Shortcut(gate="exclusive", gate_bias=-5.0),
    "exclusive_gating_bias_minus_7": Shortcut(gate="exclusive", gate_bias=-7.0),
    "shortcut_only_gating": Shortcut(gate="shortcut_only", gate_bias=-6.0),
    "shortcut_only_gating_bias_0": Shortcut(gate="shortcut_only"),
    "conv1x1": Shortcut(same="projection", change="projection"),
    # Keras' dropout keeps the expectation; P2's halves it. The scale restores
    # that: 0.5 * h at inference.
    "dropout": Shortcut(dropout=0.5, scale=0.5),
}

SHORTCUTS = {
    "none": Shortcut(same="none", change="none"),
    "A": Shortcut(),
    "B": Shortcut(change="projection"),
    "C": Shortcut(same="projection", change="projection"),
    # ResNet-D: He et al. 2018, arXiv 1812.01187, fig. 2c.
    "D": Shortcut(change="pooled_projection"),
    **SHORTCUT_ABLATIONS,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stem:
    """What precedes the first unit, and the images the network was made for.

    The papers' stems own the first activation: under pre-activation, BN and
    ReLU follow the first convolution before the first unit splits (P2
    appendix), so the first unit takes its placement without `before`. Every
    placement thus has the same stem. After a stem without ReLU the first unit
    is like the others.
    """

    # (filters, pixels of the kernel's side, strides) of each "conv" in `ops`.
    convolutions: tuple[tuple[int, int, int], ...]
    ops: Ops
    image_size: int  # pixels
    classes: int
    pixel_mean: tuple[float, float, float]  # RGB, 0..255
    pixel_std: tuple[float, float, float]


_IMAGENET = Stem(
    convolutions=((64, 7, 2),),
    ops=("conv", "bn", "relu", "pool"),
    image_size=224,
    classes=1000,
    pixel_mean=(123.675, 116.28, 103.53),
    pixel_std=(58.395, 57.12, 57.375),
)
# timm, resnetv2.py: pools before any activation, so the first unit has its own
# `before`, which an identity shortcut bypasses. Mean and deviation: its
# default_cfgs.
_TIMM_PREACT = dataclasses.replace(
    _IMAGENET,
    ops=("conv", "pool"),
    pixel_mean=(127.5, 127.5, 127.5),
    pixel_std=(127.5, 127.5, 127.5),
)

STEMS = {
    "imagenet": _IMAGENET,
    "imagenet_timm_preact": _TIMM_PREACT,
    # keras.applications, resnet.py: pads possibly negative maps with zeros.
    "imagenet_keras_preact": dataclasses.replace(
        _TIMM_PREACT, ops=("conv", "bias", "zero_pool")
    ),
    # ResNet-D: He et al. 2018, arXiv 1812.01187, fig. 2b.
    "imagenet_deep": dataclasses.replace(
        _IMAGENET,
        convolutions=((32, 3, 2), (32, 3, 1), (64, 3, 1)),
        ops=(*("conv", "bn", "relu") * 3, "pool"),
    ),
    # Mean and deviation: fb.resnet.torch, datasets/cifar10.lua.
    "cifar": Stem(
        convolutions=((16, 3, 1),),
        ops=("conv", "bn", "relu"),
        image_size=32,
        classes=10,
        pixel_mean=(125.3, 123.0, 113.9),
        pixel_std=(63.0, 62.1, 66.7),
    ),
}
