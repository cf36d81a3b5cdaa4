"""The figures of the input benchmark as tables and as a picture."""

from benchmarks import contenders
from benchmarks import pictures
from benchmarks import tables


def markdown(figures):
    """The section "Input" of docs/PERFORMANCE.md.

    Args:
        figures: dict of `input_benchmark.run`.
    """
    parts = [_machine(figures)]
    for name, of_set in figures["sets"].items():
        parts += [_heading(name, of_set), _speed(of_set["speed"], "image")]
        parts += ["Against the antialiased resize:", _quality(of_set)]
    parts += [
        "### Small images, 32x32, from memory",
        _speed(figures["small"]["speed"], "image"),
        "### Memory",
        _memory(figures["memory"]),
    ]
    return "\n\n".join(parts)


def _machine(figures):
    machine = figures["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, TensorFlow "
        f"{machine['tensorflow']}, Pillow {machine['pillow']}; "
        f"load {machine['load_average']:.1f} before the run; "
        f"{figures['rounds']} rounds in turns after one to warm up, least and "
        "greatest in brackets."
    )


def _heading(name, of_set):
    note = of_set["note"]
    return (
        f"### {name}\n\n"
        f"{of_set['files']} files of {of_set['mean_kilobytes']:,.0f} KB in "
        f"the mean: {note}. {of_set['images_per_round']:,} images a round."
    )


def _speed(speed, what):
    rows = []
    for name, row in speed.items():
        cpu, fast = row["cpu_ms"], row["images_per_second"]
        rows.append(
            [
                name,
                tables.spread(cpu, ".3g"),
                f"{fast['median']:,.0f}",
                tables.spread(row["reference_over_this"], ".2f"),
            ]
        )
    titles = f"contender | CPU ms an {what} | images/s | ours over it, CPU"
    return tables.table(titles, rows)


def _quality(of_set):
    methods = list(dict.fromkeys(row["method"] for row in of_set["quality"]))
    cells = {
        (row["shorter_side"], row["method"]): _difference(row)
        for row in of_set["quality"]
    }
    shrinks = {r["shorter_side"]: r["shrink"] for r in of_set["quality"]}
    rows = [
        [str(side), f"{shrink:.2f}", *(cells[side, name] for name in methods)]
        for side, shrink in shrinks.items()
    ]
    titles = " | ".join(["shorter side", "shrinks by", *methods])
    return tables.table(titles, rows)


def _difference(row):
    if row["psnr"] is None:
        return "equal"
    return f"{row['psnr']:.1f} dB, {row['mean_difference']:.2f} of 255"


def _memory(cases):
    rows = []
    for case in cases:
        at = case["megabytes"]
        rows.append(
            [
                f"{case['files']:,}",
                f"{case['classes']:,}",
                f"{case['listing_seconds']:.2f}",
                *(f"{at[key]:,.0f}" for key in ("imported", "opened")),
                f"{at['streamed'][0]:,.0f}",
                f"{at['streamed'][-1]:,.0f}",
                f"{max(at['streamed']):,.0f}",
                f"{case['kilobytes_per_1000_images']:+,.0f}",
            ]
        )
    first, last = cases[0]["every"], cases[0]["images"]
    titles = (
        "files | classes | listing, s | MB imported | opened | "
        f"after {first:,} images | after {last:,} | most | "
        "KB more each 1,000 images of the second half"
    )
    return tables.table(titles, rows)


def draw(figures, path):
    """CPU time of each contender, a panel for each size of images.

    Args:
        figures: dict of `input_benchmark.run`.
        path: of the PNG.
    """
    import matplotlib.figure  # no pyplot: no display, no global state

    sets = figures["sets"]
    figure = matplotlib.figure.Figure(
        figsize=(8, 0.5 + 2.4 * len(sets)), layout="constrained"
    )
    panels = figure.subplots(len(sets), squeeze=False)[:, 0]
    for axes, (name, of_set) in zip(panels, sets.items(), strict=True):
        _draw_panel(axes, name, of_set)
    panels[-1].set_xlabel(
        "CPU ms an image: median; the line is the spread over the rounds"
    )
    figure.savefig(path, dpi=120, metadata={"Comment": pictures.mark(figures)})


def _draw_panel(axes, name, of_set):
    cpu = {key: row["cpu_ms"] for key, row in of_set["speed"].items()}
    bound = cpu.pop(contenders.CEILING)["median"]
    pictures.bars(axes, cpu)
    pictures.line(axes, bound, f"{contenders.CEILING}, {bound:.3g}")
    axes.set_title(
        f"{name}, {of_set['mean_kilobytes']:,.0f} KB a file", fontsize=10
    )
