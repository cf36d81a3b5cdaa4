"""The figures of the training benchmark as tables and as a picture."""

from benchmarks import pictures
from benchmarks import tables
from benchmarks import train_contenders as contenders


def markdown(figures):
    """The tables of the section "Training" of docs/PERFORMANCE.md.

    Args:
        figures: dict of `train_benchmark.run`.
    """
    return "\n\n".join(
        [
            _machine(figures),
            "### Steps",
            _speed(figures),
            _input(figures),
            "### The first step",
            _first_steps(figures),
            _deepest(figures["deepest"]),
            "### Building",
            _builds(figures["builds"]),
            "### Memory of a step",
            _memory(figures),
            "### Where the time of our step goes",
            _profile(figures["profile"]),
        ]
    )


def _machine(figures):
    machine, amounts = figures["machine"], figures["amounts"]
    packages = ", ".join(
        f"{name} {version}" for name, version in machine["packages"].items()
    )
    return (
        f"{machine['cpu']}, {machine['cores']} cores; {packages}; load "
        f"{machine['load_average']:.1f} before the run. ResNet-50, "
        f"{amounts['image_size']} px, {amounts['batch_size']} images a step; "
        f"{amounts['rounds']} rounds in turns after one to warm up, "
        f"{amounts['steps']} steps a turn; least and greatest in brackets."
    )


def _speed(figures):
    speed, missing = figures["speed"], figures["missing"]
    rows = [
        [
            name,
            tables.spread(speed[name]["images_per_second"], ".3g"),
            tables.spread(speed[name]["step_seconds"], ".2f"),
            tables.spread(speed[name]["step_cpu_seconds"], ".2f"),
            tables.spread(speed[name]["ours_over_this"], ".2f"),
        ]
        if name in speed
        else [name, f"not installed: {missing[name]}", "", "", ""]
        for name in contenders.CONTENDERS
    ]
    titles = (
        "contender | images/s | s a step | CPU s a step | "
        "ours over it, images/s"
    )
    return tables.table(titles, rows)


def _input(figures):
    alone = figures["input"]["images_per_second"]
    step = figures["speed"][contenders.OURS]["images_per_second"]["median"]
    return (
        f"The input by itself makes {alone:,.0f} images/s of those files, "
        f"{alone / step:,.0f} times as many as the step takes."
    )


def _first_steps(figures):
    rows = [
        [
            name,
            tables.spread(row["build"], ".1f"),
            tables.spread(row["first_step"], ".1f"),
            tables.spread(row["ours_over_this"], ".2f"),
        ]
        for name, row in figures["first_steps"].items()
    ]
    titles = "contender | built, s | first step done, s | ours over it, seconds"
    return tables.table(titles, rows)


def _deepest(row):
    return (
        f"The first step of {row['network']} is done "
        f"{row['first_step']['wall_seconds']:.0f} s after the imports, "
        f"{row['build']['wall_seconds']:.0f} s of them for building."
    )


def _builds(builds):
    rows = [
        [f"`{name}`", tables.spread(seconds, ".1f")]
        for name, seconds in builds.items()
    ]
    return tables.table("call | s", rows)


def _memory(figures):
    rows = [
        [row["network"], contenders.OURS, row["kept"], *_megabytes(row)]
        for row in figures["memory"]
    ]
    amounts = figures["amounts"]
    network = f"resnet50, {amounts['image_size']} px, " + (
        f"{amounts['batch_size']} images"
    )
    for name, row in figures["first_steps"].items():
        if name != contenders.OURS:
            medians = {
                key: row[key]["median"]
                for key in row
                if key.endswith("_megabytes")
            }
            rows.append([network, name, "all kept", *_megabytes(medians)])
    titles = (
        "network | contender | activations | MB built | most | "
        "more for the step"
    )
    return tables.table(titles, rows)


def _megabytes(row):
    built, most = row["built_megabytes"], row["most_megabytes"]
    return [f"{n:,.0f}" for n in (built, most, most - built)]


def _profile(profile):
    total = sum(row["milliseconds"] for row in profile.values())
    rows = [
        [
            kind,
            f"{row['milliseconds']:,.0f}",
            f"{row['milliseconds'] / total:.1%}",
            f"{row['operations']:,.0f}",
        ]
        for kind, row in profile.items()
    ]
    return tables.table("what | thread ms | share | operations", rows)


def draw(figures, path):
    """Images a second, and seconds to the first step, of each contender.

    Args:
        figures: dict of `train_benchmark.run`.
        path: of the PNG.
    """
    import matplotlib.figure  # no pyplot: no display, no global state

    figure = matplotlib.figure.Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(
        2, height_ratios=[len(figures[key]) for key in ("speed", "first_steps")]
    )
    speed = {
        name: row["images_per_second"] for name, row in figures["speed"].items()
    }
    bound = speed.pop(contenders.CEILING)["median"]
    pictures.bars(above, speed)
    pictures.line(above, bound, f"{contenders.CEILING}, {bound:.3g}")
    above.set_xlabel("images a second: median; the line is the spread")
    first = {
        name: row["first_step"] for name, row in figures["first_steps"].items()
    }
    pictures.bars(below, first)
    below.set_xlabel("seconds from the imports to the end of the first step")
    comment = pictures.mark(figures)
    figure.savefig(path, dpi=120, metadata={"Comment": comment})
