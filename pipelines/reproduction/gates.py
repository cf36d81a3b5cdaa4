"""How far the gates of a trained network are open, and what they let through.

P2 sec. 3.1: a gate g near 0 leaves the shortcut (1 - g) x whole, and nothing of
g F(x).
"""

import math
import statistics

from benchmarks import tables
from reproduction import propagation
from reproduction import results
from reproduction import spreads
from reproduction import training

from keras_resnet.labels import drawing

IMAGES = 128


def run(job):
    """Trains, and measures the gates before and after.

    Returns:
        dict: that of `training.summary`; "before" and "after": `measure`.
    """
    import keras

    images, _, names = training.examples(job, "train", IMAGES)
    result = training.train(job)
    after = keras.models.load_model(job.workdir / training.MODEL)
    pixels = after.get_layer("pixels")
    before = propagation.initial(job.recipe, pixels, len(names))
    # The moving averages of a new network have seen no images yet.
    return {
        **result,
        "before": measure(before, images, training=True),
        "after": measure(after, images),
    }


def measure(model, images, training=False):
    """What the gates of all units let through.

    Args:
        model: from `keras_resnet.build`, with gates.
        images: (N, H, W, C) pixels.
        training: whether BN uses the images' own statistics.

    Returns:
        {"open", "branch"}: lists over units: the mean of g, and the ratio
        std(what the sum gets of F) / std(F).
    """
    import keras

    from keras_resnet.networks import operations
    from keras_resnet.networks.layers import ResidualUnit

    x, rows = images, {"open": [], "branch": []}
    for layer in model.layers[1:]:
        if isinstance(layer, ResidualUnit):
            shared = operations.apply(layer.before, x, training)
            branch = operations.apply(layer.branch, shared, training)
            gate = operations.apply(layer.gate, shared, None)
            passed = layer.join(0.0, branch, shared)
            gate, branch, passed = map(
                keras.ops.convert_to_numpy, (gate, branch, passed)
            )
            rows["open"].append(float(gate.mean()))
            rows["branch"].append(float(passed.std() / branch.std()))
        x = layer(x, training=training)
    return rows


def table(experiment, records):
    """Errors, and the gates before training and after it."""
    rows = results.by_row(experiment, results.finished(records))
    lines = [
        [
            name if when == "before" else "",
            when,
            spreads.errors(of_row, "test_error") if when == "after" else "",
            *_cells(of_row, when),
            str(len(of_row)) if when == "after" else "",
        ]
        for name, of_row in rows.items()
        for when in ("before", "after")
    ]
    titles = (
        "gate and rate | training | test error, % | g: mean | of the widest "
        "open unit | what passes of F, % | what is left of x after all units "
        "| seeds"
    )
    return tables.table(titles, lines) if lines else "Not run."


def _cells(records, when):
    """Medians over the seeds."""
    found = [record["result"][when] for record in records]

    def middle(value_of):
        return statistics.median(map(value_of, found))

    yield f"{middle(lambda one: statistics.mean(one['open'])):.4f}"
    yield f"{middle(lambda one: max(one['open'])):.4f}"
    yield f"{middle(lambda one: 100 * statistics.median(one['branch'])):.1f}"
    power = middle(lambda one: sum(math.log10(1 - g) for g in one["open"]))
    yield f"10^{power:.1f}"


def picture(experiment, records, path):
    """How open the gates of each unit are, and how much of F they pass."""
    with drawing.figure(path, 3.8) as figure:
        panels = figure.subplots(1, 2, sharex=True)
        rows = results.by_row(experiment, results.finished(records))
        for (name, (first, *_)), color in zip(
            rows.items(), drawing.COLORS, strict=False
        ):
            for when, style in (("before", ":"), ("after", "-")):
                found = first["result"][when]
                style = {"color": color, "linestyle": style}
                label = name if when == "after" else None
                panels[0].semilogy(found["open"], label=label, **style)
                panels[1].semilogy(found["branch"], **style)
        panels[0].set(
            title="dotted: before training",
            xlabel="unit",
            ylabel="mean of the gate",
        )
        panels[1].set(
            title="how much of F passes",
            xlabel="unit",
            ylabel="deviation of g F over that of F",
        )
        drawing.legend_below(figure, panels[0])


def summary(records):
    """How much of F passes after training, in words."""
    done = results.finished(records)
    if not done:
        return "diverged"
    *_, of_branch, _ = _cells(done, "after")
    return f"{of_branch} % of F pass"
