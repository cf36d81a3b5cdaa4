"""Every network as a row: a choice from each table of `rows`.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

import dataclasses

from keras_resnet.errors import require
from keras_resnet.networks.rows import BLOCKS
from keras_resnet.networks.rows import SHORTCUT_ABLATIONS
from keras_resnet.networks.rows import STEMS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """One network: a choice from each table."""

    reference: str  # where it was published
    stem: str
    block: str
    depths: tuple[int, ...]  # units in each stage
    filters: tuple[int, ...]  # of each stage, before the block's expansion
    placement: str = "original"
    shortcut: str = "B"
    strided_unit: int = 0  # 0: each stage's first; -1: last, except last stage

    def __post_init__(self):
        require(
            len(self.depths) == len(self.filters)
            and min((*self.depths, *self.filters), default=0) > 0,
            "depths and filters must each be a number > 0 for each stage. "
            f"Received: depths={self.depths}, filters={self.filters}.",
        )
        require(
            self.strided_unit == 0
            or (self.strided_unit == -1 and min(self.depths) > 1),
            "strided_unit must be 0, a stage's first unit, or -1, the last of "
            "two or more. Received: "
            f"strided_unit={self.strided_unit}, depths={self.depths}.",
        )

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """The stride of each unit of each stage."""
        strides = [[1] * depth for depth in self.depths]
        for stage in strides[1:] if self.strided_unit == 0 else strides[:-1]:
            stage[self.strided_unit] = 2
        return tuple(map(tuple, strides))

    @property
    def depth(self) -> int:
        """Weighted layers as the papers count them, projections excluded."""
        stem = len(STEMS[self.stem].convolutions)
        units = sum(self.depths) * len(BLOCKS[self.block].kernels)
        return stem + units + 1  # the classifier

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts in order: "stem", "stage1", ..., "head"."""
        stages = (f"stage{i + 1}" for i in range(len(self.depths)))
        return ("stem", *stages, "head")


# Units of each stage (P1 Table 1, P2 Table 5).
_IMAGENET_UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}


def _imagenet(
    reference, depth, bottleneck="bottleneck", *, stem="imagenet", **choices
):
    return Variant(
        reference=reference,
        stem=stem,
        block="basic" if depth < 50 else bottleneck,
        depths=_IMAGENET_UNITS[depth],
        filters=(64, 128, 256, 512),
        **choices,
    )


def _cifar(reference, depth, block="basic", **choices):
    # P1 sec. 4.2: 6n + 2 layers in three stages; n units of k layers each.
    units = (depth - 2) // (3 * len(BLOCKS[block].kernels))
    return Variant(
        reference=reference,
        stem="cifar",
        block=block,
        depths=(units, units, units),
        filters=(16, 32, 64),
        **choices,
    )


VARIANTS = {
    **{
        f"plainnet{depth}": _imagenet("P1 Table 2", depth, shortcut="none")
        for depth in (18, 34)
    },
    **{
        f"resnet{depth}": _imagenet("P1 Table 1", depth)
        for depth in (18, 34, 50, 101, 152)
    },
    "resnet200": _imagenet("P2 Table 5", 200),
    **{
        f"resnet{depth}_{option.lower()}": _imagenet(
            "P1 Table 3", depth, shortcut=option
        )
        for depth in (18, 34)
        for option in "AC"
    },
    **{
        f"resnet{depth}_v1_5": _imagenet(
            "torchvision", depth, "bottleneck_v1_5"
        )
        for depth in (50, 101, 152)
    },
    **{
        f"resnet{depth}_v2": _imagenet(
            "P2 Table 5", depth, placement="full_preact"
        )
        for depth in _IMAGENET_UNITS
    },
    **{
        f"resnet{depth}_v2_timm": _imagenet(
            "timm",
            depth,
            "bottleneck_v1_5",
            stem="imagenet_timm_preact",
            placement="full_preact",
        )
        for depth in (18, 34, 50, 101, 152)
    },
    **{
        f"resnet{depth}_v2_keras": _imagenet(
            "keras.applications",
            depth,
            "bottleneck_v1_5",
            stem="imagenet_keras_preact",
            placement="full_preact_bias",
            strided_unit=-1,
        )
        for depth in (50, 101, 152)
    },
    **{
        f"resnet{depth}_d": _imagenet(
            "He et al. 2018, arXiv 1812.01187",
            depth,
            "bottleneck_v1_5",
            stem="imagenet_deep",
            shortcut="D",
        )
        for depth in _IMAGENET_UNITS
    },
    **{
        f"wide_resnet{depth}_2": _imagenet("torchvision", depth, "wide")
        for depth in (50, 101)
    },
    **{
        f"resnext{depth}_{groups}": _imagenet(
            "torchvision", depth, f"resnext_{groups}"
        )
        for depth, groups in ((50, "32x4d"), (101, "32x8d"), (101, "64x4d"))
    },
    **{
        f"plainnet{depth}": _cifar("P1 Fig. 6", depth, shortcut="none")
        for depth in (20, 32, 44, 56, 110)
    },
    **{
        f"resnet{depth}": _cifar("P1 Table 6", depth, shortcut="A")
        for depth in (20, 32, 44, 56, 110, 1202)
    },
    **{
        f"resnet{depth}": _cifar("P2 Table 3", depth, "bottleneck")
        for depth in (164, 1001)
    },
    "resnet110_v2": _cifar(
        "P2 Table 2", 110, shortcut="A", placement="full_preact"
    ),
    **{
        f"resnet{depth}_v2": _cifar(
            "P2 Table 3", depth, "bottleneck", placement="full_preact"
        )
        for depth in (164, 1001)
    },
    "resnet110_one_layer": _cifar("P2 Table 3", 110, "one_layer", shortcut="A"),
    "resnet110_one_layer_v2": _cifar(
        "P2 Table 3", 110, "one_layer", shortcut="A", placement="full_preact"
    ),
    **{
        f"resnet110_{placement}": _cifar(
            "P2 Table 2", 110, shortcut="A", placement=placement
        )
        for placement in ("bn_after_add", "relu_before_add", "relu_preact")
    },
    **{
        f"resnet164_{placement}": _cifar(
            "P2 Table 2", 164, "bottleneck", placement=placement
        )
        for placement in ("bn_after_add", "relu_before_add", "relu_preact")
    },
    **{
        f"resnet110_{shortcut}": _cifar("P2 Table 1", 110, shortcut=shortcut)
        for shortcut in SHORTCUT_ABLATIONS
    },
}
