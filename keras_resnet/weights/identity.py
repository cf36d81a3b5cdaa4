"""Which network a model or a file of weights is, to refuse the wrong one.

Two networks can have the same names and shapes and differ all the same: where
a bottleneck strides, what a shortcut without weights does.
"""

import dataclasses
import re

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.networks import rows
from keras_resnet.networks import specs
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.weights import layouts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """What weights alone do not tell: the rows a network is made of."""

    block: specs.Block
    placement: specs.Placement
    shortcut: specs.Shortcut
    stem: rows.Ops
    depths: tuple[int, ...]
    strided_unit: int

    @property
    def variant(self):
        """Its first name in VARIANTS, or None."""
        names = (name for name in specs.VARIANTS if of_variant(name) == self)
        return next(names, None)


def of_variant(name):
    """The network that a row of VARIANTS names."""
    row = specs.VARIANTS[name]
    return Network(
        block=specs.BLOCKS[row.block],
        placement=specs.PLACEMENTS[row.placement],
        shortcut=specs.SHORTCUTS[row.shortcut],
        stem=specs.STEMS[row.stem].ops,
        depths=row.depths,
        strided_unit=row.strided_unit,
    )


def of_model(model):
    """The network that a model from `keras_resnet.build` is.

    Raises:
        keras_resnet.UsageError: if it is another kind of model.
    """
    units = [layer for layer in model.layers if isinstance(layer, ResidualUnit)]
    require(
        units,
        "Weights are for models from keras_resnet.build, with layers "
        f"'stage1_unit1' and so on. Received: {model.name!r}.",
    )
    stages = [unit.name.split("_")[0] for unit in units]
    return Network(
        block=units[-1].block,
        # The first unit has only a part of it, so the last is taken.
        placement=units[-1].placement,
        shortcut=units[-1].shortcut,
        stem=tuple(model.get_layer("stem").config["ops"]),
        depths=tuple(stages.count(stage) for stage in dict.fromkeys(stages)),
        strided_unit=_strided_unit(units),
    )


def _strided_unit(units):
    """As in a `Variant`: 0, or -1 if units other than the first stride.

    A unit whose stride was replaced by a dilation counts as one that strides.
    """
    strided = [
        unit.name
        for unit in units
        if unit.strides > 1 or len(set(unit.dilation)) > 1
    ]
    return -1 if any(not name.endswith("_unit1") for name in strided) else 0


def of_layout(layout, depths, *, bottleneck, width=1, groups=1):
    """The network whose weights a layout holds.

    Args:
        layout: of `layouts.LAYOUTS`, not our own.
        depths: units of each stage.
        bottleneck: whether a unit has three convolutions.
        width, groups: of a bottleneck's second convolution: filters, in
            multiples of the stage's, and groups.
    """
    block = specs.BLOCKS[layout.bottleneck if bottleneck else "basic"]
    if bottleneck:
        widths = (width, width, block.expansion)
        block = dataclasses.replace(block, widths=widths, groups=groups)
    return Network(
        block=block,
        placement=specs.PLACEMENTS[layout.placement],
        shortcut=specs.SHORTCUTS[layout.shortcut],
        stem=specs.STEMS[layout.stem].ops,
        depths=depths,
        strided_unit=layout.strided_unit,
    )


def recognise(names):
    """The layout whose names these are.

    Args:
        names: of the tensors of a file.

    Raises:
        keras_resnet.UsageError: if it is none of ours.
    """
    # A layout that has another one's signature too comes after it.
    for layout in reversed(layouts.LAYOUTS.values()):
        if layout.signature in names:
            return layout
    known = ", ".join(layout.origin for layout in layouts.LAYOUTS.values())
    raise UsageError(
        f"its names are of no known layout ({known}). Received: "
        f"{', '.join(sorted(names)[:4])} ..., {len(names)} tensors."
    )


def of_tensors(layout, tensors):
    """The network that a file with these tensors holds.

    Args:
        layout: of `layouts.LAYOUTS`, not our own.
        tensors: {name: `Stored`}, all of them.
    """
    first_stage, first_unit = layout.counts_from
    depths = {}
    for name in tensors:
        found = re.match(layout.unit, name)
        if found:
            stage, unit = int(found[1]), int(found[2]) - first_unit + 1
            depths[stage] = max(depths.get(stage, 0), unit)
    depths = tuple(
        depths.get(stage, 0)
        for stage in range(first_stage, max(depths, default=0) + 1)
    )
    bottleneck = any(layout.third in name for name in tensors)
    width, groups = _width_and_groups(layout, tensors)
    return of_layout(
        layout, depths, bottleneck=bottleneck, width=width, groups=groups
    )


def _width_and_groups(layout, tensors):
    """Those of a bottleneck's second convolution; (1, 1) if not known."""
    shapes = []
    for conv in ("conv2", "conv3"):
        path = f"stage1_unit1/{conv}/kernel"
        found = tensors.get(layouts.their_name(layout, path))
        shapes.append(found and layouts.our_shape(layout, path, found.shape))
    if not all(shape and len(shape) == 4 and min(shape) for shape in shapes):
        return 1, 1
    (*_, inputs, filters), (*_, outputs) = shapes
    width = specs.BLOCKS[layout.bottleneck].expansion * filters // outputs
    return max(width, 1), max(filters // inputs, 1)


def require_same(model, ours, theirs, origin):
    """Refuses weights of a network other than the model.

    Args:
        model: the model.
        ours, theirs: `Network` of the model and of the weights.
        origin: of the weights, for the message.
    """
    if ours == theirs:
        return
    differences = [
        f"{field.name} {_text(field.name, getattr(theirs, field.name))}, not "
        f"{_text(field.name, getattr(ours, field.name))}"
        for field in dataclasses.fields(Network)
        if getattr(ours, field.name) != getattr(theirs, field.name)
    ]
    build = (
        f"build({theirs.variant!r})"
        if theirs.variant
        else f"build(..., depths={theirs.depths}) of a variant with these"
    )
    raise UsageError(
        f"{origin} weights go with {'; '.join(differences)}. Use {build}. "
        f"Received: {model.name!r}."
    )


def _text(field, value):
    if field == "block":
        names = [name for name, row in specs.BLOCKS.items() if row == value]
        position = value.strided + 1
        return f"{(*names, value)[0]} (stride in convolution {position})"
    if field in ("placement", "shortcut"):
        table = {"placement": specs.PLACEMENTS, "shortcut": specs.SHORTCUTS}
        names = [n for n, row in table[field].items() if row == value]
        return str((*names, value)[0])
    return str(value)
