"""What is left of a trained network when units are taken out of it.

Veit, Wilber, Belongie 2016, arXiv 1605.06431, sec. 4.1 and 4.2.
"""

import random
import statistics

from benchmarks import tables
from reproduction import results
from reproduction import spreads
from reproduction import training

from keras_resnet.labels import drawing

IMAGES = 1000  # at most
# How many units are taken out together, at random, and how often.
TOGETHER, DRAWS = (1, 2, 3, 5, 8, 10), 5


def run(job):
    """Trains, then takes out each unit alone and several at random.

    Returns:
        dict: that of `training.summary`; "alone": [error without the unit] in
        the order of the units; "together": {"5": [error of each draw]}. Errors
        are of test images, 0 to 1; units that change the shape stay.
    """
    import keras

    result = training.train(job)
    model = keras.models.load_model(job.workdir / training.MODEL)
    images, labels, _ = training.examples(job, "validation", IMAGES)
    units, draw = of_one_shape(model), random.Random(job.seed)

    def error(names):
        found = without(model, images, names).argmax(-1)
        return round(float((found != labels).mean()), 6)

    return {
        **result,
        "alone": [error({name}) for name in units],
        "together": {
            str(number): [
                error(set(draw.sample(units, number))) for _ in range(DRAWS)
            ]
            for number in TOGETHER
            if number <= len(units)
        },
    }


def of_one_shape(model):
    """Names of the units whose input and output have one shape, in order."""
    from keras_resnet.networks.layers import ResidualUnit

    units = [x for x in model.layers if isinstance(x, ResidualUnit)]
    return [unit.name for unit in units if unit.agrees]


def without(model, images, names):
    """Probabilities of a network without some of its units.

    A unit is replaced by its input: x + F(x) becomes x.

    Args:
        model: from `keras_resnet.build`.
        images: (N, H, W, C) pixels.
        names: set, of units of one shape.

    Returns:
        float32 (N, classes).
    """
    import keras

    x = images
    for layer in model.layers[1:]:
        if layer.name not in names:
            x = layer(x, training=False)
    return keras.ops.convert_to_numpy(x)


def table(experiment, records):
    """Errors of whole networks, without one unit, and without several."""
    lines = [
        [name, *_cells(results.finished(mine))]
        for name, mine in results.by_row(experiment, records).items()
        if results.finished(mine)
    ]
    if not lines:
        return "Not run."
    several = " | ".join(f"{n} at random" for n in TOGETHER[1:])
    titles = (
        "network: test error, % | whole | without one: median | greatest | "
        f"{several} | seeds"
    )
    return tables.table(titles, lines)


def _cells(records):
    """Medians over seeds; for each seed, the median over units or draws."""

    def percent(error_of):
        return spreads.percent(records, error_of)

    yield percent(lambda result: result["test_error"])
    yield percent(lambda result: statistics.median(result["alone"]))
    yield percent(lambda result: max(result["alone"]))
    for number in map(str, TOGETHER[1:]):
        if all(number in r["result"]["together"] for r in records):
            yield percent(lambda r: statistics.median(r["together"][number]))
        else:
            yield ""
    yield str(len(records))


def picture(experiment, records, path):
    """Errors without each unit, and without several."""
    with drawing.figure(path, 3.8) as figure:
        alone, together = figure.subplots(1, 2, sharey=True)
        rows = results.by_row(experiment, results.finished(records))
        for (name, of_one), color in zip(
            rows.items(), drawing.COLORS, strict=False
        ):
            found = [record["result"] for record in of_one]
            middle = [
                statistics.median(100 * error for error in errors)
                for errors in zip(*(r["alone"] for r in found), strict=True)
            ]
            places = [(i + 0.5) / len(middle) for i in range(len(middle))]
            alone.plot(
                places, middle, "o-", color=color, markersize=3, label=name
            )
            numbers = [0, *map(int, found[0]["together"])]
            errors = [[r["test_error"] for r in found]] + [
                [statistics.median(r["together"][str(n)]) for r in found]
                for n in numbers[1:]
            ]
            middle = [100 * statistics.median(of_one) for of_one in errors]
            together.plot(numbers, middle, "o-", color=color, label=name)
        alone.set(
            title="one unit taken out",
            xlabel="where it was: 0 the first, 1 the last",
            ylabel="test error, %",
            ylim=(0, 100),
        )
        together.set(
            title="several at random", xlabel="units that were taken out"
        )
        alone.legend(loc="center right")


def summary(records):
    """Errors of one row, whole and without one unit, in words."""
    _, one, *_ = [*_cells(results.finished(records))] or ["", "diverged"]
    return f"without one unit {one} %"
