"""Few examples of new classes, with weights of other classes and without.

A network learns six classes of Fashion-MNIST, in front of photographs. Other
runs learn the other four classes from a few images. They start from that
network or from random weights.
"""

import dataclasses

import numpy as np
from benchmarks import photographs
from benchmarks import tables
from reproduction import curves
from reproduction import results
from reproduction import spreads
from reproduction import training
from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting

from keras_resnet import recipes
from keras_resnet.recipes import own_images

# Labels of the source: T-shirt, trouser, dress, sandal, bag and boot; and of
# the task: pullover, coat, shirt and sneaker.
SOURCE = (0, 1, 3, 5, 8, 9)
TASK = (2, 4, 6, 7)
EXAMPLES = 20  # of a class of the task
STEPS = 150

_PIXELS = {
    "image_size": 28,
    "eval_resize": 28,
    "augmentation": "pad_crop",
    "pad_pixels": 2,
    "log_every_steps": 50,
}


def _schedule(steps):
    """Drops the rate to a tenth after two thirds and nine tenths of the steps.

    There is one evaluation, at the end.
    """
    return {
        "steps": steps,
        "boundaries": (steps * 2 // 3, steps * 9 // 10),
        "eval_every_steps": steps,
        "checkpoint_every_steps": max(50, steps // 4),
    }


_SOURCE_RECIPE = {"batch_size": 64, "learning_rate": 0.05, **_schedule(600)}
_RANDOM = own_images.from_random(16)

FINE_TUNING = Experiment(
    title="Fine-tuning",
    question="What do weights of other classes save on 20 images a class?",
    source="none in the papers",
    rows={
        "random": Row(variant="resnet20", overrides=_RANDOM),
        "random_600_steps": Row(
            variant="resnet20", overrides={**_RANDOM, **_schedule(4 * STEPS)}
        ),
        "head_alone": Row(
            variant="resnet20",
            overrides={**own_images.FINE_TUNING, "freeze_until": "head"},
        ),
        "all_stages": Row(variant="resnet20", overrides=own_images.FINE_TUNING),
    },
    settings={
        "quick": {
            "fashion_mnist": Setting(
                recipe={"batch_size": 16, **_PIXELS, **_schedule(STEPS)}
            )
        }
    },
    silent=(
        "the source is a ResNet-20 that has learned T-shirt, trouser, dress, "
        "sandal, bag and boot for 600 steps of 64 of their 36,000 images, "
        "with each seed anew; the seconds are without it",
        "the task is pullover, coat, shirt and sneaker: 20 images a class, "
        "others with each seed, and all 4,000 test images of the four",
        "an image is the absolute difference of a garment and a window of one "
        "of scikit-learn's two photographs; the windows differ, the "
        "photographs are the same in all splits",
        "rates are those that keras-resnet train takes for a folder, with and "
        "without --weights; none was tuned on this task",
        "without photographs behind them a random start was no worse (39.7 % "
        "against 40.0 % of all stages; one seed, 10 images a class): garments "
        "on black can be told apart without having seen others",
        "a sampling error is sqrt(p (1 - p) / n) of one run on n images",
        "needs --data_dir, the folder of Fashion-MNIST's own files, and "
        "scikit-learn",
    ),
    module="fine_tuning",
)


def run(job):
    """Trains on the task, and before it on the source if the row needs it."""
    recipe, result = job.recipe, {}
    if recipe.freeze_batch_norm:
        weights, source = _source(job)
        recipe = dataclasses.replace(recipe, weights=str(weights))
        result = {"source_error": source["test_error"]}
    splits = _splits(job, TASK, EXAMPLES)
    job = dataclasses.replace(job, recipe=recipe)
    result |= training.train(job, splits)
    return {**result, "test_images": splits["validation"].num_examples}


def _source(job):
    """Trains on the source classes: the model's path, and its result."""
    fields = {
        "variant": job.row.variant,
        "dataset": job.dataset,
        "seed": job.seed,
    }
    fields = {**fields, **_PIXELS, **_SOURCE_RECIPE}
    recipe = recipes.load("cifar10_resnet20", fields)
    workdir = job.workdir.parents[1] / "source" / job.workdir.name
    job = dataclasses.replace(job, workdir=workdir, recipe=recipe)
    result = training.train(job, _splits(job, SOURCE))
    return workdir / training.MODEL, result


def _splits(job, classes, examples=None):
    """{"train", "validation"}: of some classes, in front of photographs.

    Args:
        job: `jobs.Job`; its seed chooses training images and photographs.
        classes: labels of Fashion-MNIST, ascending.
        examples: training images of a class; None for all.
    """
    from keras_resnet.data.examples.splits import Split
    from keras_resnet.data.stores import arrays

    splits = {}
    for split, seed in (("train", job.seed), ("validation", 10_000)):
        found = arrays.load(job.dataset, split, job.data_dir)
        rng = np.random.default_rng(seed)
        number = examples if split == "train" else None
        chosen = choose(found.labels, classes, number, rng)
        images = before_photographs(found.images[chosen], rng)
        names = tuple(found.class_names[label] for label in classes)
        labels = np.searchsorted(classes, found.labels[chosen])
        splits[split] = Split.from_arrays(
            images, labels, class_names=names, name=split
        )
    return splits


def choose(labels, classes, number, rng):
    """Indices of `number` examples of each class, ascending; None for all."""
    of_each = [np.flatnonzero(labels == label) for label in classes]
    return np.sort(
        np.concatenate([rng.permutation(found)[:number] for found in of_each])
    )


def before_photographs(images, rng):
    """|image - window of a photograph|, uint8 (N, H, W, 3) as `images`."""
    two = list(photographs.originals().values())[:2]
    result = np.empty_like(images)
    for i, image in enumerate(images):
        photograph = two[rng.integers(len(two))]
        free = np.subtract(photograph.size, image.shape[1::-1])
        left, top = (int(rng.integers(n + 1)) for n in free)
        box = (left, top, left + image.shape[1], top + image.shape[0])
        window = np.asarray(photograph.crop(box), np.int16)
        result[i] = np.abs(window - image)
    return result


def table(experiment, records):
    """Errors, each beside the sampling error of one run."""
    lines = []
    for name, mine in results.by_row(experiment, records).items():
        done = results.finished(mine)
        ends = [record["result"] for record in done]
        lines.append(
            [
                name,
                str(mine[0]["recipe"]["steps"]),
                spreads.percent(mine, lambda result: result["test_error"]),
                _sampling_error(ends),
                str(len(mine)),
                ", ".join(f"{record['seconds']:,.0f}" for record in done),
            ]
        )
    titles = "from | steps | test error, % | sampling error, points | seeds | s"
    return tables.table(titles, lines)


def _sampling_error(ends):
    """The greatest sampling error of the runs, in points."""
    errors = [
        100 * (end["test_error"] * (1 - end["test_error"])) ** 0.5
        / end["test_images"] ** 0.5
        for end in ends
    ]  # fmt: skip
    return f"{max(errors):.1f}" if errors else ""


summary = curves.summary
