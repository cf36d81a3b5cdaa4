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

from keras_resnet.errors import register as register_row
from keras_resnet.errors import require
from keras_resnet.networks.rows import BLOCKS
from keras_resnet.networks.rows import PLACEMENTS
from keras_resnet.networks.rows import SHORTCUTS
from keras_resnet.networks.rows import STEMS
from keras_resnet.networks.rows import Block
from keras_resnet.networks.rows import Placement
from keras_resnet.networks.rows import Shortcut
from keras_resnet.networks.rows import Stem
from keras_resnet.networks.variants import VARIANTS
from keras_resnet.networks.variants import Variant

# {field of a variant: the table of its rows}.
TABLES = {
    "stem": STEMS,
    "block": BLOCKS,
    "placement": PLACEMENTS,
    "shortcut": SHORTCUTS,
}


def check_branches(placement, shortcut, *, zero_gamma, stochastic_depth):
    """Refuses zero_gamma and stochastic_depth for unsuitable branches.

    Args:
        placement, shortcut: rows of the network.
        zero_gamma, stochastic_depth: as for `keras_resnet.build`.

    Raises:
        keras_resnet.UsageError: says which.
    """
    require(
        isinstance(stochastic_depth, (int, float))
        and 0 <= stochastic_depth < 1,
        "stochastic_depth must be a number in [0, 1). Received: "
        f"{stochastic_depth!r}.",
    )
    require(
        "none" not in (shortcut.same, shortcut.change)
        or not (zero_gamma or stochastic_depth),
        "zero_gamma and stochastic_depth need a shortcut around each branch: "
        "a plain network would pass nothing on. Received: "
        f"zero_gamma={zero_gamma}, stochastic_depth={stochastic_depth}.",
    )
    require(
        not zero_gamma or placement.after[-1:] == ("bn",),
        "zero_gamma is of a branch that ends in BN, as the placements "
        "'original' and 'relu_preact' have it: elsewhere there is no such BN, "
        "or a ReLU behind it would never pass a gradient on. Received: "
        f"{placement}.",
    )


def register(name: str, row: Placement | Block | Shortcut | Stem | Variant):
    """Adds a row to the table of its kind, for `build` and for recipes.

    Call it in a module of yours that `--import` names, before a network with
    the row is built or loaded.

    Args:
        name: what `build`, a recipe or a `Variant` calls it.
        row: its type selects the table.

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
