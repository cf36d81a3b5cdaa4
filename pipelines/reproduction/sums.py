"""Why a sum is better than a product in backpropagation, measured.

A plain unit multiplies the gradient by its Jacobian J (P2 eq. 4 without its 1).
A residual unit multiplies it by 1 + J (eqs. 4 and 5): a direct term and one
through F.
"""

import math
import statistics

import numpy as np
from benchmarks import tables
from reproduction import propagation
from reproduction import results
from reproduction import training

from keras_resnet.labels import drawing

# Images on a line between two others; the gradients of neighbours are compared
# (Balduzzi et al. 2017, arXiv 1702.08591: "shattered gradients").
ON_A_LINE = 64
WITH_IMAGES = 8  # beside the one whose Jacobian is taken, for BN


def run(job):
    """Gradients and Jacobians before training and after it.

    Returns:
        dict: "before" and "after", from `measure`; "steps", trained
        between them; "train_error" of `training.summary`.
    """
    import keras

    images, labels, names = training.examples(job, "train", propagation.IMAGES)
    result = training.train(job)
    after = keras.models.load_model(job.workdir / training.MODEL)
    pixels = after.get_layer("pixels")
    before = propagation.initial(job.recipe, pixels, len(names))
    return {
        "train_error": result["train_error"],
        "steps": job.recipe.steps,
        "before": measure(before, images, labels),
        "after": measure(after, images, labels),
    }


def measure(model, images, labels):
    """What a network does to the gradient of the loss.

    Returns:
        dict: `terms`; "singular": {"least", "median", "greatest"} singular
        values of the Jacobian of the last unit; "likeness": mean cosine
        between the gradients of neighbours on a line between two images, with
        respect to the first unit's input.
    """
    found = propagation.input_gradients(model, images, labels, held=False)
    gradients = [np.asarray(gradient, np.float64) for gradient in found]
    return {
        **terms(gradients),
        "singular": singular_values(model, images),
        "likeness": likeness(model, images, labels),
    }


def terms(gradients):
    """Compares the direct term with F's in every unit that keeps the shape.

    Args:
        gradients: of x_0, ..., x_L, by `propagation.input_gradients`.

    Returns:
        {"ratio", "cosine", "through"}: lists over units: the norm of the F
        term over that of the direct one, the cosine between them, and the norm
        of the gradient before the unit over that behind it. A plain unit has
        no direct term: only "through" has a meaning.
    """
    rows = {"ratio": [], "cosine": [], "through": []}
    for before, after in zip(gradients, gradients[1:], strict=False):
        if before.shape != after.shape or not np.any(after):
            continue
        branch, behind = before - after, np.linalg.norm(after)
        norm = np.linalg.norm(branch)
        rows["ratio"].append(float(norm / behind))
        rows["cosine"].append(
            float(np.sum(branch * after) / (norm * behind)) if norm else 0.0
        )
        rows["through"].append(float(np.linalg.norm(before) / behind))
    return rows


def singular_values(model, images):
    """The singular values of the last unit's Jacobian for one image.

    BN takes its statistics from this image and others.
    """
    import tensorflow as tf

    from keras_resnet.networks.layers import ResidualUnit

    x = tf.convert_to_tensor(images[: WITH_IMAGES + 1])
    *_, last = (u for u in model.layers if isinstance(u, ResidualUnit))
    for layer in model.layers[1 : model.layers.index(last)]:
        x = propagation.in_training(layer, x)
    one, others = x[:1], x[1:]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(one)
        y = propagation.in_training(last, tf.concat([one, others], 0))[0]
        y = tf.reshape(y, [-1])
    jacobian = tape.jacobian(y, one, experimental_use_pfor=False)
    size = int(y.shape[0])
    values = np.linalg.svd(np.reshape(jacobian, (size, size)), compute_uv=False)
    return {
        "least": float(values[-1]),
        "median": float(np.median(values)),
        "greatest": float(values[0]),
    }


def likeness(model, images, labels):
    """Mean cosine of gradients of neighbours on a line between two images."""
    part = np.linspace(0, 1, ON_A_LINE)[:, None, None, None]
    line = (1 - part) * images[0] + part * images[1]
    found = propagation.input_gradients(
        model,
        line.astype("float32"),
        np.full(ON_A_LINE, labels[0]),
        held=False,
    )
    rows = np.reshape(found[0], (ON_A_LINE, -1)).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-300
    return float(np.mean(np.sum(rows[1:] * rows[:-1], axis=1)))


def table(experiment, records):
    """What becomes of the gradient in units of each network."""
    rows = results.by_row(experiment, results.finished(records))
    lines = [
        [name if when == "before" else "", when, *_cells(of_row, when)]
        for name, of_row in rows.items()
        for when in ("before", "after")
    ]
    titles = (
        "network | training | F over direct term: median | cosine of both: "
        "least | median | greatest | gradient through a unit: least | "
        "greatest | product over units | singular values of the last unit | "
        "neighbours' cosine"
    )
    return tables.table(titles, lines) if lines else "Not run."


def _cells(records, when):
    """Medians over the seeds."""
    found = [record["result"][when] for record in records]

    def middle(value_of):
        return statistics.median(map(value_of, found))

    has_direct = not records[0]["row"].startswith("plain")
    for name, of_units in (
        ("ratio", statistics.median),
        ("cosine", min),
        ("cosine", statistics.median),
        ("cosine", max),
    ):
        value = middle(lambda one: of_units(one[name]))
        yield f"{value:.2f}" if has_direct else ""
    yield f"{middle(lambda one: min(one['through'])):.2f}"
    yield f"{middle(lambda one: max(one['through'])):.2f}"
    power = middle(lambda one: sum(map(math.log10, one["through"])))
    yield f"10^{power:.1f}"
    ends = [middle(lambda r: r["singular"][k]) for k in ("least", "greatest")]
    yield "{:.2g}..{:.2g}".format(*ends)
    yield f"{middle(lambda one: one['likeness']):.2f}"


def picture(experiment, records, path):
    """Cosines of both terms, and the gradient that reaches each unit."""
    with drawing.figure(path, 6) as figure:
        panels = figure.subplots(2, 2, sharex=True, sharey="row")
        rows = results.by_row(experiment, results.finished(records))
        for column, when in enumerate(("before", "after")):
            of_cosine, gradient = panels[:, column]
            for (name, (first, *_)), color in zip(
                rows.items(), drawing.COLORS, strict=False
            ):
                found = first["result"][when]
                reached = reaching(found["through"])
                places = np.linspace(0, 1, len(reached))
                gradient.semilogy(places, reached, color=color, label=name)
                if not name.startswith("plain"):
                    of_cosine.plot(places[:-1], found["cosine"], color=color)
            of_cosine.axhline(-1, color="#000000", linestyle="--", linewidth=1)
            of_cosine.set(title=f"{when} training", ylim=(-1.05, 1.05))
            gradient.set_xlabel("depth: 0 the first unit, 1 the end")
        panels[0, 0].set_ylabel(
            "cosine of direct and F term\n(-1: they cancel)"
        )
        panels[1, 0].set_ylabel("gradient there\nover that at the end")
        drawing.legend_below(figure, panels[1, 0])


def reaching(through):
    """The share of the last gradient that reaches each unit's input; then 1.

    Args:
        through: for each unit, the gradient before it over that behind it.
    """
    return [*np.cumprod(through[::-1])[::-1], 1.0]
