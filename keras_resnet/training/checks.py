"""What can be refused before the first batch is, before the first batch."""

import importlib.util

from keras_resnet import recipes
from keras_resnet.data.examples import order
from keras_resnet.data.pixels import augmentations
from keras_resnet.errors import require
from keras_resnet.training import start

# What a run imports late, and what it would lack then.
_PACKAGES = {"matplotlib": "curves.png", "h5py": "model.keras"}


def check_settings(recipe, strategy, workers):
    """Refuses a recipe that cannot work on these devices, without its data.

    Args:
        recipe: `recipes.Recipe`.
        strategy: `tf.distribute.Strategy`.
        workers: `workers.Workers` of the strategy.

    Raises:
        keras_resnet.UsageError: says what.
    """
    start.check(recipe)
    augmentations.augmentation(recipe.augmentation)
    start.check_devices(recipe, strategy)
    require(
        workers.count == 1 or not recipes.max_masked(recipe.on_bad_image),
        "--on_bad_image=mask:N counts the images of one process, so it cannot "
        "work with --strategy=multi_worker. Find them first with "
        "keras-resnet data validate, and remove them.",
    )
    for package, file in _PACKAGES.items():
        require(
            importlib.util.find_spec(package) is not None,
            f"{package} is not installed; {file} needs it at the end of the "
            f"run. Install it: pip install {package}.",
        )


def check_data(splits, recipe):
    """Refuses data that cannot be learnt or scored.

    Args:
        splits: {"train": `datasets.Split`, "validation": the same}.
        recipe: `recipes.Recipe`.

    Raises:
        keras_resnet.UsageError: says what.
    """
    train, validation = splits["train"], splits["validation"]
    start.check_classes(train)
    require(
        train.class_names == validation.class_names,
        f"{train.name} and {validation.name} must have the same classes. Only "
        f"in the one: {_only(train, validation)}. Only in the other: "
        f"{_only(validation, train)}.",
    )
    # --shuffle=blocks needs a store that has blocks.
    order.arranged(train, recipe)


def _only(a, b):
    names = [name for name in a.class_names if name not in b.class_names]
    return ", ".join(map(repr, names[:5])) or "none, but the order differs"
