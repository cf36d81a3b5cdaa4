"""Overrides of recipes: a valid `Recipe`, or one line that names the field."""

import json

from soaking import mutations
from soaking.verdict import check

# Values that fields do take, to get past the first check.
_GOOD = (
    1, 2, 8, 16, 32, 64, 100, 0.1, 0.5, 0.9, 1e-4, "resnet20", "resnet56",
    "digits", "folder:x", "A", "B", "C", "none", "cifar", "imagenet", "steps",
    "plateau", "constant", "mask:3", "fail", "all", "kernels", "caffe",
    "torch", "float32", "mixed_float16", "stem", "stage1", "head", (1, 1, 1),
    "adamw", "lamb", "cosine", "one_cycle", "linear", "binary", "hard",
    (4, 6), (256, 480), [2, 3], True, b"digits", {1, 2}, (1.5,), ("1",), 1j,
)  # fmt: skip


def make(folder):
    """Needs no files."""


def load(folder):
    """Names of recipes and of their fields."""
    del folder
    import dataclasses

    from keras_resnet import recipes

    fields = [field.name for field in dataclasses.fields(recipes.Recipe)]
    return list(recipes.RECIPES), fields


def mutate(corpus, rng):
    """{"recipe", "overrides", "what"} of one case."""
    names, fields = corpus
    overrides = {
        rng.choice(fields): rng.choice(_GOOD + mutations.VALUES)
        for _ in range(rng.choice((1, 1, 1, 2, 3)))
    }
    if rng.random() < 0.05:
        overrides[rng.choice(("stepz", "", "Steps", "lr"))] = 1
    name = rng.choice(names)
    if rng.random() < 0.05:
        name = rng.choice(("digitz", "", None, 3, ("digits",)))
    what = f"{name!r} with {overrides!r}"[:200]
    return {"recipe": name, "overrides": overrides, "what": what}


def judge(corpus, case, folder):
    """A recipe that is taken has the fields' types, and JSON can hold it."""
    del corpus, folder
    import dataclasses

    from keras_resnet import recipes

    recipe = recipes.load(case["recipe"], case["overrides"])
    check(isinstance(recipe, recipes.Recipe), f"gives {recipe!r}")
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        check(
            _is_of(value, field.type),
            f"{field.name} takes {value!r}, of type {type(value).__name__}",
        )
    json.dumps(dataclasses.asdict(recipe), allow_nan=False)


def _is_of(value, kind):
    if kind == tuple[int, ...]:
        return isinstance(value, tuple) and all(_is_of(v, int) for v in value)
    if kind is float:
        return type(value) in (int, float)
    return type(value) is kind
