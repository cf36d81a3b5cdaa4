"""The architecture of every network, as data: the papers' tables and figures.

References:
    P1: He et al. 2015, "Deep Residual Learning", arXiv 1512.03385.
    P2: He et al. 2016, "Identity Mappings in Deep Residual Networks",
        arXiv 1603.05027.

A unit is one equation, x' = f(h(p) + F(p)) with p = before(x) (P2 eq. 1, 2).
PLACEMENTS say what surrounds the weights and the addition, BLOCKS are F,
SHORTCUTS are h, STEMS come before the first unit, and a row of VARIANTS
chooses one of each. `register` adds a row of your own. No Keras here.
"""

import dataclasses

from keras_resnet.errors import register as register_row
from keras_resnet.errors import require
from keras_resnet.networks.rows import BLOCKS
from keras_resnet.networks.rows import PLACEMENTS
from keras_resnet.networks.rows import SHORTCUT_ABLATIONS
from keras_resnet.networks.rows import SHORTCUTS
from keras_resnet.networks.rows import STEMS
from keras_resnet.networks.rows import Block
from keras_resnet.networks.rows import Placement
from keras_resnet.networks.rows import Shortcut
from keras_resnet.networks.rows import Stem


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

    def __post_init__(self):
        require(
            len(self.depths) == len(self.filters)
            and min((*self.depths, *self.filters), default=0) > 0,
            "depths and filters must each be a number > 0 for each stage. "
            f"Received: depths={self.depths}, filters={self.filters}.",
        )

    @property
    def depth(self) -> int:
        """Weighted layers as the papers count them, projections excluded."""
        stem = len(STEMS[self.stem].convolutions)
        units = sum(self.depths) * len(BLOCKS[self.block].kernels)
        return stem + units + 1  # the classifier

    @property
    def parts(self) -> tuple[str, ...]:
        """From the input on: "stem", "stage1", ..., "head"."""
        stages = (f"stage{i + 1}" for i in range(len(self.depths)))
        return ("stem", *stages, "head")


# {field of a variant: the table of its rows}.
TABLES = {
    "stem": STEMS,
    "block": BLOCKS,
    "placement": PLACEMENTS,
    "shortcut": SHORTCUTS,
}


def register(name: str, row: Placement | Block | Shortcut | Stem | Variant):
    """Adds a row to the table of its kind, for `build` and for recipes.

    To be called in a module of yours that `--import` names, before a network
    with it is built or loaded.

    Args:
        name: what `build`, a recipe or a `Variant` calls it.
        row: its type says the table.

    Raises:
        keras_resnet.UsageError: if the name is taken in that table, or no
            table has such rows.

    Example:

    >>> specs.register("three_layers", specs.Block(
    ...     kernels=(3, 3, 3), widths=(1, 1, 1), strided=0
    ... ))
    >>> build("resnet34", block="three_layers")
    """
    kind = type(row).__name__.lower()
    tables = {**TABLES, "variant": VARIANTS}
    require(
        kind in tables,
        "row must be a Placement, Block, Shortcut, Stem or Variant. "
        f"Received: {row!r}.",
    )
    register_row(tables[kind], name, row, kind)


def _imagenet(reference, block, depths, *, stem="imagenet", **choices):
    return Variant(
        reference=reference,
        stem=stem,
        block=block,
        depths=depths,
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


_IMAGENET_DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
    200: ("bottleneck", (3, 24, 36, 3)),
}

VARIANTS = {
    **{
        f"plainnet{depth}": _imagenet(
            "P1 Table 2", *_IMAGENET_DEPTHS[depth], shortcut="none"
        )
        for depth in (18, 34)
    },
    **{
        f"resnet{depth}": _imagenet("P1 Table 1", *_IMAGENET_DEPTHS[depth])
        for depth in (18, 34, 50, 101, 152)
    },
    "resnet200": _imagenet("P2 Table 5", *_IMAGENET_DEPTHS[200]),
    **{
        f"resnet{depth}_{option.lower()}": _imagenet(
            "P1 Table 3", *_IMAGENET_DEPTHS[depth], shortcut=option
        )
        for depth in (18, 34)
        for option in "AC"
    },
    **{
        f"resnet{depth}_v1_5": _imagenet(
            "torchvision", "bottleneck_v1_5", _IMAGENET_DEPTHS[depth][1]
        )
        for depth in (50, 101, 152)
    },
    **{
        f"resnet{depth}_v2": _imagenet(
            "P2 Table 5", *row, placement="full_preact"
        )
        for depth, row in _IMAGENET_DEPTHS.items()
    },
    **{
        f"resnet{depth}_v2_timm": _imagenet(
            "timm",
            block.replace("bottleneck", "bottleneck_v1_5"),
            depths,
            stem="imagenet_timm_preact",
            placement="full_preact",
        )
        for depth, (block, depths) in _IMAGENET_DEPTHS.items()
        if depth < 200
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
