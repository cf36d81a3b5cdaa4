"""P1 Fig. 7: how strongly the layers of trained networks respond."""

import statistics

import numpy as np
from benchmarks import tables
from reproduction import results
from reproduction import training

from keras_resnet.labels import drawing

IMAGES, BATCH = 1000, 100


def layer_responses(model, images):
    """Standard deviations of the response of each 3x3 convolution.

    A response is the output of a convolution and the BN after it, before ReLU
    and addition (P1 Fig. 7). BN uses its moving statistics, as at inference;
    P1 does not say which. The deviation is over all images, positions and
    channels.

    Args:
        model: from `keras_resnet.build`, trained.
        images: (N, H, W, C) pixels.

    Returns:
        list of {"layer": "stage1_unit1/conv2", "std": float}, in the order of
        the layers.
    """
    moments = {}
    for start in range(0, len(images), BATCH):
        for name, response in _responses(model, images[start : start + BATCH]):
            add(moments.setdefault(name, [0, 0.0, 0.0]), response)
    return [{"layer": n, "std": deviation(m)} for n, m in moments.items()]


def add(moments, values):
    """Adds an array to [count, mean, sum of squared differences].

    As Chan et al. 1979: sums of squares of large arrays would lose digits.
    """
    values = np.asarray(values, np.float64)
    count, mean, squares = moments
    total = count + values.size
    apart = values.mean() - mean
    moments[:] = (
        total,
        mean + apart * values.size / total,
        squares
        + ((values - values.mean()) ** 2).sum()
        + apart**2 * count * values.size / total,
    )


def deviation(moments):
    """The standard deviation of all values that `add` took."""
    count, _, squares = moments
    return float(np.sqrt(squares / count))


def _responses(model, x):
    from keras_resnet.networks import operations
    from keras_resnet.networks.layers import ResidualUnit

    for layer in model.layers[1:]:
        if isinstance(layer, ResidualUnit):
            shared = operations.apply(layer.before, x, training=False)
            yield from _of_layers(layer.name, layer.branch, shared)
        elif hasattr(layer, "layers"):
            yield from _of_layers(layer.name, layer.layers, x)
        x = layer(x)


def _of_layers(owner, layers, x):
    import keras

    from keras_resnet.networks import operations

    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        x = operations.apply([layer], x, training=False)
        if isinstance(layer, keras.layers.Conv2D):
            if layer.kernel_size != (3, 3):
                continue
            response = x
            if isinstance(following, keras.layers.BatchNormalization):
                response = following(x, training=False)
            yield f"{owner}/{layer.name}", response


def run(job):
    """Trains and measures: `training.summary` and "responses"."""
    import keras

    result = training.train(job)
    model = keras.models.load_model(job.workdir / training.MODEL)
    images, *_ = training.examples(job, "validation", IMAGES)
    return {**result, "responses": layer_responses(model, images)}


def table(experiment, records):
    """How large the responses of each network are."""
    lines = []
    rows = results.by_row(experiment, results.finished(records))
    for name, (first, *_) in rows.items():
        result = first["result"]
        deviations = [layer["std"] for layer in result["responses"]]
        lines.append(
            [
                name,
                str(len(deviations)),
                f"{statistics.median(deviations):.3f}",
                f"{max(deviations):.3f}",
                f"{100 * result['train_error']:.2f}",
            ]
        )
    titles = (
        "network | 3x3 layers | median deviation | greatest | training error, %"
    )
    return tables.table(titles, lines) if lines else "Not run."


def picture(experiment, records, path):
    """P1 Fig. 7: deviations in the order of the layers, and by size."""
    import matplotlib.ticker

    with drawing.figure(path, 3.8) as figure:
        ordered, by_size = figure.subplots(1, 2, sharey=True)
        colors = drawing.COLORS
        rows = results.by_row(experiment, results.finished(records))
        for (name, of_one), color in zip(rows.items(), colors, strict=False):
            responses = of_one[0]["result"]["responses"]
            deviations = [layer["std"] for layer in responses]
            style = "--" if name.startswith("plain") else "-"
            style = {"color": color, "linestyle": style, "linewidth": 1.6}
            ordered.plot(range(1, len(deviations) + 1), deviations, **style)
            by_size.plot(
                range(1, len(deviations) + 1),
                sorted(deviations, reverse=True),
                label=name,
                **style,
            )
        ordered.set(
            title="in the order of the layers",
            xlabel="3x3 layer",
            ylabel="standard deviation of the response",
        )
        # P1's axis is linear; here one network would hide the others.
        ordered.set_yscale("log")
        axis = ordered.yaxis
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(matplotlib.ticker.NullLocator())
        by_size.set(title="by size", xlabel="3x3 layer, greatest first")
        by_size.legend(loc="upper right")
