"""Readers of what a run left behind, and a tiny recipe."""

import dataclasses
import json

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from keras_resnet import recipes

RECIPE = dataclasses.replace(
    recipes.RECIPES["digits"], depths=(1, 1), filters=(16, 32), batch_size=32
)


def records(workdir):
    """The lines of metrics.jsonl."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def arrays(workdir):
    """{path: array} of model.keras."""
    model = keras.saving.load_model(workdir / "model.keras")
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.variables}


def checkpoint(workdir):
    """{path: array} of the newest checkpoint."""
    newest = max((workdir / "checkpoints").iterdir()) / "variables"
    reader = tf.train.load_checkpoint(str(newest))
    return {
        name.removeprefix("variables/")
        .removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")
        .replace(".S", "/"): reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }


def assert_equal(ours, theirs):
    """Asserts that two {path: array} are equal bit for bit."""
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        np.testing.assert_array_equal(value, theirs[path], path)


def read(strategy, variable):
    """The value of a variable, which must be equal on all replicas."""
    copies = strategy.experimental_local_results(variable.value)
    assert len(copies) == strategy.num_replicas_in_sync
    for copy in copies:
        np.testing.assert_array_equal(copy.numpy(), copies[0].numpy())
    return copies[0].numpy()


def make_folder(parent):
    """A data set of two classes, dark and light, as a folder of images."""
    for split in ("train", "validation"):
        for name, value in (("dark", 10), ("light", 240)):
            for i in range(6):
                path = parent / "images" / split / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (20, 16), (value + i,) * 3).save(path)
    return parent / "images"
