"""What a row of the tables in `specs` consists of.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

import dataclasses

Ops = tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """Where BN and ReLU sit around the weights and the addition (P2 Fig. 4)."""

    before: Ops = ()  # before the first weight layer
    between: Ops = ()  # between weight layers
    after: Ops = ()  # after the last weight layer, before the addition
    after_add: Ops = ()  # after the addition


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """The weight layers of one residual branch (P1 Fig. 5)."""

    kernels: tuple[int, ...]  # kernel size of each convolution, pixels
    widths: tuple[int, ...]  # filters, in multiples of the stage's filters
    strided: int  # index of the convolution that carries the stride

    @property
    def expansion(self) -> int:
        """Output filters of the branch over the stage's filters."""
        return self.widths[-1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shortcut:
    """h, the path around the branch (P1 sec. 3.3, P2 Fig. 2).

    `same` serves units whose input and output shapes agree, `change` the
    others; each is one of "none", "identity", "zero_pad" and "projection", or
    a kind that was registered (`shortcuts.register`).
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
