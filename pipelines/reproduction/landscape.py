"""The shape of the loss around a trained network's weights.

Li et al. 2017, arXiv 1712.09913: the loss on a plane of two random directions,
and the extreme eigenvalues of the Hessian, by Lanczos' method. Each filter of a
direction has the norm of the network's own filter.
"""

import statistics

import numpy as np
from benchmarks import tables
from reproduction import propagation
from reproduction import results
from reproduction import spreads
from reproduction import training

from keras_resnet.labels import drawing

IMAGES, SIDE, LANCZOS = 256, 25, 40
# Contours of the picture; 2.3 is ln 10, the loss of guessing among ten.
LEVELS = (0.01, 0.03, 0.1, 0.3, 1, 2.3, 4, 8)


def run(job):
    """Trains, then looks around.

    Returns:
        dict: that of `training.summary`; "grid": `slice_of`; "least" and
        "greatest" eigenvalue of the Hessian. The loss is the cross-entropy of
        training images without weight decay. BN uses their statistics.
    """
    import keras

    result = training.train(job)
    model = keras.models.load_model(job.workdir / training.MODEL)
    images, labels, _ = training.examples(job, "train", IMAGES)
    random = np.random.default_rng(job.seed)
    values = [np.array(v) for v in model.trainable_variables]
    grid = slice_of(model, images, labels, random)
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
    size = sum(value.size for value in values)
    least, greatest = extremes(
        lambda vector: hessian_product(model, images, labels, vector),
        random.normal(size=size),
    )
    return {**result, "grid": grid, "least": least, "greatest": greatest}


def loss(model, images, labels):
    """Mean cross-entropy; BN uses the statistics of these images."""
    import keras
    import tensorflow as tf

    x = tf.convert_to_tensor(images)
    for layer in model.layers[1:]:
        if layer.name == "probabilities":
            break
        x = propagation.in_training(layer, x)
    return tf.reduce_mean(
        keras.losses.sparse_categorical_crossentropy(
            labels, x, from_logits=True
        )
    )


def direction(values, random):
    """A random direction; each filter has the norm of the network's own.

    Args:
        values: list of arrays. Those of fewer than two dimensions (BN's,
            biases) do not move.
        random: `np.random.Generator`.
    """
    found = []
    for value in values:
        step = random.normal(size=value.shape)
        axes = tuple(range(value.ndim - 1))
        if not axes:
            found.append(np.zeros_like(value))
            continue
        norms = [
            np.sqrt(np.sum(x**2, axes, keepdims=True)) for x in (value, step)
        ]
        found.append((step * norms[0] / norms[1]).astype(value.dtype))
    return found


def slice_of(model, images, labels, random):
    """Losses on a plane: SIDE lists of SIDE floats, from -1 to 1 each way."""
    variables = model.trainable_variables
    values = [np.array(variable) for variable in variables]
    one, other = (direction(values, random) for _ in range(2))
    places, grid = np.linspace(-1, 1, SIDE), []
    for a in places:
        grid.append([])
        for b in places:
            for variable, *parts in zip(
                variables, values, one, other, strict=True
            ):
                value, first, second = parts
                variable.assign(value + a * first + b * second)
            grid[-1].append(round(float(loss(model, images, labels)), 4))
    return grid


def hessian_product(model, images, labels, vector):
    """The Hessian of the loss times a vector of all trainable weights."""
    import tensorflow as tf

    values = [variable.value for variable in model.trainable_variables]
    sizes = np.cumsum([np.prod(v.shape, dtype=int) for v in values])[:-1]
    parts = [
        tf.constant(part.reshape(v.shape), v.dtype)
        for part, v in zip(np.split(vector, sizes), values, strict=True)
    ]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            error = loss(model, images, labels)
        gradients = inner.gradient(error, values)
        along = tf.add_n(
            [
                tf.reduce_sum(gradient * part)
                for gradient, part in zip(gradients, parts, strict=True)
            ]
        )
    products = outer.gradient(along, values)
    return np.concatenate([np.ravel(product) for product in products])


def extremes(product, start, steps=LANCZOS):
    """The least and the greatest eigenvalue of a symmetric matrix.

    Args:
        product: vector -> the matrix times it.
        start: float (n,), any vector that is not 0.
        steps: of Lanczos' method, with full orthogonalisation.
    """
    basis, diagonal, beside = [start / np.linalg.norm(start)], [], []
    for _ in range(min(steps, len(start))):
        found = np.asarray(product(basis[-1]), np.float64)
        diagonal.append(found @ basis[-1])
        for _ in range(2):
            found -= np.transpose(basis) @ (np.array(basis) @ found)
        beside.append(np.linalg.norm(found))
        if beside[-1] < 1e-10 * max(map(abs, diagonal)):
            break
        basis.append(found / beside[-1])
    inner = beside[: len(diagonal) - 1]
    matrix = np.diag(diagonal) + np.diag(inner, 1) + np.diag(inner, -1)
    values = np.linalg.eigvalsh(matrix)
    return float(values[0]), float(values[-1])


def table(experiment, records):
    """Losses around the trained weights, and extreme eigenvalues."""
    rows = results.by_row(experiment, results.finished(records))
    lines = [[name, *_cells(mine)] for name, mine in rows.items()]
    titles = (
        "network | training error, % | loss at the end | median at the edge | "
        "eigenvalues: least | greatest | least over greatest | seeds"
    )
    return tables.table(titles, lines) if lines else "Not run."


def _cells(records):
    """Medians over the seeds."""
    found = [record["result"] for record in records]

    def middle(value_of):
        return f"{statistics.median(map(value_of, found)):.3g}"

    yield spreads.errors(records, "train_error")
    yield middle(lambda one: one["grid"][SIDE // 2][SIDE // 2])
    yield middle(lambda one: statistics.median(_edge(one["grid"])))
    yield middle(lambda one: one["least"])
    yield middle(lambda one: one["greatest"])
    yield middle(lambda one: one["least"] / one["greatest"])
    yield str(len(found))


def _edge(grid):
    sides = (row[i] for row in grid for i in (0, -1))
    return [*grid[0], *grid[-1], *sides]


def picture(experiment, records, path):
    """Contours of the first seed's loss on the plane."""
    rows = results.by_row(experiment, results.finished(records))
    columns = max(len(rows), 1)
    with drawing.figure(path, drawing.WIDTH / columns + 0.5) as figure:
        panels = figure.subplots(1, columns, squeeze=False, sharey=True)[0]
        places = np.linspace(-1, 1, SIDE)
        for axes, (name, (first, *_)) in zip(
            panels, rows.items(), strict=False
        ):
            shades = axes.contourf(
                places,
                places,
                first["result"]["grid"],
                LEVELS,
                extend="both",
                cmap="viridis_r",
                norm="log",
            )
            axes.set(title=name, aspect="equal", xlabel="step, in filter norms")
            axes.grid(visible=False)
        if rows:
            scale = figure.colorbar(shades, ax=panels, label="loss")
            scale.set_ticks(LEVELS, labels=map(str, LEVELS))


def summary(records):
    """Extreme eigenvalues of one row's Hessian, in words."""
    done = results.finished(records)
    if not done:
        return "diverged"
    *_, least, greatest, _, _ = _cells(done)
    return f"eigenvalues {least} to {greatest}"
