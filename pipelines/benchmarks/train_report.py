"""The figures of the training benchmark as tables and panels."""

from benchmarks import pictures
from benchmarks import tables
from benchmarks import train_types

from keras_resnet.training import processor

OURS, CEILING = "ours", "ceiling: the convolutions alone"


def report(figures):
    """The section "Training" of docs/PERFORMANCE.md, and panels."""
    amounts = figures["amounts"]
    size = f"{amounts['image_size']} px, {amounts['batch_size']} images"
    protocol = (
        f"ResNet-50, {size} a step; {amounts['rounds']} rounds in turns after "
        f"one to warm up, {amounts['steps']} steps a turn"
    )
    parts = [tables.machine(figures, protocol)]
    for part, section in SECTIONS.items():
        if part in figures:
            parts += section(figures)
    panels = [_panel(figures, *row) for row in PANELS if row[2] in figures]
    return parts, panels


def _speed_section(figures):
    table = tables.of_rows(figures["speed"], SPEED)
    return ["### Steps", table, *tables.missing(figures)]


def _input_section(figures):
    alone = figures["input"]["images_per_second"]
    words = f"The input by itself makes {alone:,.0f} images/s of those files"
    if "speed" in figures:
        step = figures["speed"][OURS]["images_per_second"]["median"]
        words += f", {alone / step:,.0f} times as many as the step takes"
    return [f"{words}."]


def _types_section(figures):
    heading, *parts = train_types.report(figures["types"])
    if processor.lacks_bfloat16(figures["machine"].get("flags")):
        parts.insert(0, _NO_BFLOAT16)
    return [heading, *parts]


_NO_BFLOAT16 = (
    "This processor has no instructions for bfloat16, which others compute in "
    "its place: the rows of bfloat16 show what that costs."
)


def _first_steps_section(figures):
    table = tables.of_rows(figures["first_steps"], FIRST_STEP)
    return ["### The first step", table]


def _deepest_section(figures):
    deepest = figures["deepest"]
    return [
        f"The first step of {deepest['network']} is done "
        f"{deepest['first_step']['wall_seconds']:.0f} s after the imports, "
        f"{deepest['build']['wall_seconds']:.0f} s of them for building."
    ]


def _builds_section(figures):
    rows = {f"`{call}`": {"s": s} for call, s in figures["builds"].items()}
    return ["### Building", tables.of_rows(rows, BUILD)]


def _memory_section(figures):
    size = "{image_size} px, {batch_size} images".format(**figures["amounts"])
    rows = _memory_rows(figures, f"resnet50, {size}")
    return ["### Memory of a step", tables.of_rows(rows, MEMORY)]


# {part of the figures: its section}.
SECTIONS = {
    "speed": _speed_section,
    "input": _input_section,
    "types": _types_section,
    "first_steps": _first_steps_section,
    "deepest": _deepest_section,
    "builds": _builds_section,
    "memory": _memory_section,
}


SPEED = {
    "contender": ("name", ""),
    "images/s": ("images_per_second", ".3g"),
    "s a step": ("step_seconds", ".2f"),
    "CPU s a step": ("step_cpu_seconds", ".2f"),
    "ours over it, images/s": ("ours_over_this", ".2f"),
}
FIRST_STEP = {
    "contender": ("name", ""),
    "built, s": ("build", ".1f"),
    "first step done, s": ("first_step", ".1f"),
    "ours over it, seconds": ("ours_over_this", ".2f"),
}
BUILD = {"call": ("name", ""), "s": ("s", ".1f")}
MEMORY = {
    "network": ("network", ""),
    "contender": ("contender", ""),
    "activations": ("kept", ""),
    "MB built": ("built_megabytes", ",.0f"),
    "most": ("most_megabytes", ",.0f"),
    "more for the step": (
        lambda row: row["most_megabytes"] - row["built_megabytes"],
        ",.0f",
    ),
}
# (words, row of a line across, part of the figures, key of its rows).
PANELS = (
    ("images a second", CEILING, "speed", "images_per_second"),
    ("seconds to the first step", None, "first_steps", "first_step"),
)


def _panel(figures, words, bound, part, key):
    bars = {name: row[key] for name, row in figures[part].items()}
    unit = f"{words}: median; the line is the spread"
    return pictures.panel(words, unit, bars, bound)


def _memory_rows(figures, network):
    """Our networks, then the peers; their figures come from `first_steps`."""
    for row in figures["memory"]:
        yield {**row, "contender": OURS}
    for name, row in figures.get("first_steps", {}).items():
        if name != OURS:
            keys = "built_megabytes", "most_megabytes"
            yield {
                "network": network,
                "contender": name,
                "kept": "all kept",
                **{key: row[key]["median"] for key in keys},
            }
