"""P2 eqs. 5 and 8: how much of the loss's gradient reaches each unit."""

import dataclasses
import math

import numpy as np
from benchmarks import tables
from reproduction import results
from reproduction import training

from keras_resnet.labels import drawing

# Iterations of training after which gradients are measured.
AFTER = (0, 50, 200)
IMAGES = 128


def gradients(model, images, labels):
    """Norms of the gradient of the loss with respect to the units' inputs.

    Returns:
        {"total": norms, "shortcuts": norms}, lists of floats for x_0, ...,
        x_L, the inputs of the L units and the output of the last. "shortcuts"
        is the part that comes through shortcuts alone, with all branches and
        gates held constant. Within a stage of pre-activated units with scaled
        shortcuts it is lambda^(L - l) times the last norm (P2 eq. 8).
    """
    return {
        name: [
            float(np.linalg.norm(np.asarray(gradient, np.float64)))
            for gradient in input_gradients(model, images, labels, held=held)
        ]
        for name, held in (("total", False), ("shortcuts", True))
    }


def input_gradients(model, images, labels, *, held):
    """The gradient of the mean loss with respect to each unit's input.

    BN uses the statistics of the batch, as in training, and gradients go
    through them. The model's own statistics do not change.

    Args:
        model: from `keras_resnet.build`, its shortcuts without dropout.
        images: (B, H, W, C) pixels.
        labels: int (B,).
        held: whether branches and gates are constants.

    Returns:
        list of (B, H, W, C) tensors, of x_0, ..., x_L.
    """
    import keras
    import tensorflow as tf

    from keras_resnet.networks import operations
    from keras_resnet.networks.layers import ResidualUnit

    hold = {"hold": tf.stop_gradient} if held else {}
    x, inputs = tf.convert_to_tensor(images), []
    # Moving statistics are assigned in the scope and forgotten after it.
    with keras.StatelessScope(), tf.GradientTape() as tape:
        for layer in model.layers[1:]:
            if layer.name == "probabilities":
                break
            if isinstance(layer, ResidualUnit):
                inputs = inputs or [_watched(tape, x)]
                x = _watched(tape, layer.compute(x, True, **hold))
                inputs.append(x)
            else:
                x = operations.apply([layer], x, True)
        loss = keras.losses.sparse_categorical_crossentropy(
            labels, x, from_logits=True
        )
        loss = tf.reduce_mean(loss)
    return tape.gradient(loss, inputs, unconnected_gradients="zero")


def in_training(layer, x):
    """A layer's output with the batch's statistics; its own do not change."""
    import keras

    from keras_resnet.networks import operations
    from keras_resnet.networks.layers import ResidualUnit

    with keras.StatelessScope():
        if isinstance(layer, ResidualUnit):
            return layer.compute(x, True)
        return operations.apply([layer], x, True)


def _watched(tape, x):
    tape.watch(x)
    return x


def run(job):
    """Gradients after `AFTER` iterations of training.

    Returns:
        dict: "after": {"0": `gradients`, ...}; "product": for each norm the
        product of the shortcuts' scales from there on. By P2 eq. 8 this is the
        share of the last norm that reaches it.
    """
    from keras_resnet.networks import specs

    images, labels, names = training.examples(job, "train", IMAGES)
    found = {
        str(steps): gradients(model, images, labels)
        for steps, model in _models(job, len(names))
    }
    units = len(found["0"]["total"]) - 1
    variant = specs.VARIANTS[job.recipe.variant]
    row = specs.SHORTCUTS[job.recipe.shortcut or variant.shortcut]
    scale = 0.0 if row.same == "none" else row.scale
    product = [scale ** (units - unit) for unit in range(units + 1)]
    return {"after": found, "product": product}


def _models(job, classes):
    """The network after each of `AFTER`: (iterations, model)."""
    trained = [(steps, _trained(job, steps)) for steps in AFTER if steps]
    pixels = trained[0][1].get_layer("pixels")
    return [(0, initial(job.recipe, pixels, classes)), *trained]


def initial(recipe, pixels, classes):
    """The network a run begins with: its seed's weights, its pixel mean."""
    import keras

    import keras_resnet

    keras.utils.set_random_seed(recipe.seed)
    return keras_resnet.build(
        recipe.variant,
        classes=classes,
        input_shape=(recipe.image_size, recipe.image_size, 3),
        pixel_mean=np.asarray(pixels.mean),
        pixel_std=np.asarray(pixels.std),
        **recipe.architecture,
    )


def _trained(job, steps):
    """The network after so many iterations, in a workdir of its own."""
    import keras

    recipe = dataclasses.replace(job.recipe, steps=steps)
    workdir = job.workdir / f"after_{steps}"
    training.train(dataclasses.replace(job, recipe=recipe, workdir=workdir))
    return keras.models.load_model(workdir / training.MODEL)


def table(experiment, records):
    """How much of the gradient reaches the output of the first unit, x_1.

    The norm at its input, x_0, lies apart from all others in each network.
    """
    lines = []
    for record in _of_rows(experiment, records):
        result = record["result"]
        cells = [
            _power(of_one["total"][1] / of_one["total"][-1])
            for of_one in result["after"].values()
        ]
        alone = result["after"]["0"]["shortcuts"]
        cells += [_power(result["product"][1]), _power(alone[1] / alone[-1])]
        lines.append([record["row"], *cells])
    if not lines:
        return "Not run."
    after = " | ".join(f"after {steps}" for steps in AFTER)
    titles = (
        f"norm at x_1 over that at x_L | {after} | product of lambdas | "
        "through shortcuts alone, after 0"
    )
    return tables.table(titles, lines)


def _power(ratio):
    return f"10^{math.log10(ratio):.1f}" if ratio else "0"


def _of_rows(experiment, records):
    """Finished records of the first seed, in the experiment's order."""
    first = [r for r in results.finished(records) if r["seed"] == 0]
    return [of_one[0] for of_one in results.by_row(experiment, first).values()]


def how(records):
    """How the records came about, in words."""
    return results.how(records, AFTER)


def picture(experiment, records, path):
    """Norms over the units, at the beginning and after training.

    Dashed: through the shortcuts alone. Dotted: the product of lambdas.
    """
    with drawing.figure(path, 4.4) as figure:
        panels = figure.subplots(1, len(AFTER), sharey=True)
        of_rows = _of_rows(experiment, records)
        for axes, steps in zip(panels, AFTER, strict=True):
            for record, color in zip(of_rows, drawing.COLORS, strict=False):
                result = record["result"]
                norms = result["after"][str(steps)]
                units = range(1, len(norms["total"]))
                axes.semilogy(
                    units, norms["total"][1:], color=color, label=record["row"]
                )
                if norms["shortcuts"][1]:
                    through = norms["shortcuts"][1:]
                    axes.semilogy(
                        units, through, "--", color=color, linewidth=1
                    )
                product = np.array(result["product"][1:])
                if 0 < product[0] < 1:
                    product *= norms["total"][-1]
                    axes.semilogy(
                        units, product, ":", color="#000000", linewidth=1
                    )
            axes.set(
                title=f"after {steps} iterations"
                if steps
                else "at the beginning",
                xlabel="unit",
            )
        panels[0].set_ylabel("norm of the gradient")
        figure.suptitle(
            "dashed: through the shortcuts alone; dotted: product of lambdas",
        )
        drawing.legend_below(figure, panels[0])
