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
