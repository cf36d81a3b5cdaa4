"""The figures of the training benchmark as tables and panels."""

from benchmarks import pictures
from benchmarks import tables

OURS, CEILING = "ours", "ceiling: the convolutions alone"


def report(figures):
    """The section "Training" of docs/PERFORMANCE.md, and panels."""
    amounts, deepest = figures["amounts"], figures["deepest"]
    size = f"{amounts['image_size']} px, {amounts['batch_size']} images"
    protocol = (
        f"ResNet-50, {size} a step; {amounts['rounds']} rounds in turns after "
        f"one to warm up, {amounts['steps']} steps a turn"
    )
    builds = {f"`{call}`": {"s": s} for call, s in figures["builds"].items()}
    memory = _memory_rows(figures, f"resnet50, {size}")
    parts = [
        tables.machine(figures, protocol),
        "### Steps",
        tables.of_rows(figures["speed"], SPEED),
        *tables.missing(figures),
        _input_line(figures),
        "### The first step",
        tables.of_rows(figures["first_steps"], FIRST_STEP),
        f"The first step of {deepest['network']} is done "
        f"{deepest['first_step']['wall_seconds']:.0f} s after the imports, "
        f"{deepest['build']['wall_seconds']:.0f} s of them for building.",
        "### Building",
        tables.of_rows(builds, BUILD),
        "### Memory of a step",
        tables.of_rows(memory, MEMORY),
        "### Where the time of our step goes",
        tables.of_rows(_profile_rows(figures), PROFILE),
    ]
    spread = "median; the line is the spread"
    panels = [
        pictures.panel(
            words, f"{words}: {spread}", _column(figures, *of), bound
        )
        for words, bound, *of in PANELS
    ]
    return parts, panels


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
    "MB built": ("built", ",.0f"),
    "most": ("most", ",.0f"),
    "more for the step": (lambda row: row["most"] - row["built"], ",.0f"),
}
PROFILE = {
    "what": ("name", ""),
    "thread ms": ("milliseconds", ",.0f"),
    "share": ("share", ".1%"),
    "operations": ("operations", ",.0f"),
}
# (words, row of a line across, part of the figures, key of its rows).
PANELS = (
    ("images a second", CEILING, "speed", "images_per_second"),
    ("seconds to the first step", None, "first_steps", "first_step"),
)


def _column(figures, part, key):
    return {name: row[key] for name, row in figures[part].items()}


def _input_line(figures):
    alone = figures["input"]["images_per_second"]
    step = figures["speed"][OURS]["images_per_second"]["median"]
    return (
        f"The input by itself makes {alone:,.0f} images/s of those files, "
        f"{alone / step:,.0f} times as many as the step takes."
    )


def _memory_rows(figures, network):
    """Our networks, then the peers, whose figures are of `first_steps`."""
    for row in figures["memory"]:
        built, most = row["built_megabytes"], row["most_megabytes"]
        yield {**row, "contender": OURS, "built": built, "most": most}
    for name, row in figures["first_steps"].items():
        if name != OURS:
            yield {
                "network": network,
                "contender": name,
                "kept": "all kept",
                "built": row["built_megabytes"]["median"],
                "most": row["most_megabytes"]["median"],
            }


def _profile_rows(figures):
    profile = figures["profile"]
    total = sum(row["milliseconds"] for row in profile.values())
    return {
        kind: {**row, "share": row["milliseconds"] / total}
        for kind, row in profile.items()
    }
