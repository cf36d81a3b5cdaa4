"""Policies and erasing on crops in memory, ours and torchvision's.

Both draw at random, each as it is published. Our RandAugment is timm's, which
applies each of its operations with probability 1/2; torchvision has its own.
"""

import importlib.util
import itertools

import numpy as np
from benchmarks import input_contenders
from benchmarks import photographs
from benchmarks import steps as peer_steps

SIDE, CROPS = 224, 64
NAMES = ("trivial_augment", "rand_augment", "auto_augment", "erasing")
OURS = "ours"


def rows(name):
    """{row of a table: arguments of `steps`} of one of NAMES."""
    found = {OURS: {"library": "ours"}}
    if importlib.util.find_spec("torchvision"):
        found["torchvision, tensors"] = {"library": "tensors"}
        if name != "erasing":  # that takes only tensors
            found["torchvision, Pillow"] = {"library": "pillow"}
    return {row: {"name": name, **choice} for row, choice in found.items()}


def steps(name, library, images):
    """A contender whose step changes `images` crops, a multiple of 32.

    Args:
        name: one of NAMES; bilinear where pixels move, erasing of every image.
        library: "ours", "tensors" or "pillow", the latter two torchvision's.
        images: int.
    """
    crops, _ = photographs.patches(CROPS, SIDE)
    make = _ours if library == "ours" else _torchvisions

    def build():
        batches = make(name, crops, images, library)
        return input_contenders.passes(batches, images)

    return build


def _ours(name, crops, images, library):
    del library
    import tensorflow as tf

    from keras_resnet import recipes
    from keras_resnet.data.pixels import finish
    from keras_resnet.data.pixels import randomness

    fields = {"policy": name, "policy_interpolation": "bilinear"}
    recipe = recipes.Recipe(**fields if name != "erasing" else {"erasing": 1.0})
    counts = finish.counts(recipe)

    def example(seed, crop):
        numbers = randomness.uniform(seed, sum(counts.values()))
        parts = tf.split(numbers, list(counts.values()))
        draws = dict(zip(counts, parts, strict=True))
        return finish.apply(crop, draws, recipe, input_contenders.FILL)

    examples = tf.data.Dataset.from_tensor_slices(crops).repeat().take(images)
    batches = examples.enumerate().map(example, tf.data.AUTOTUNE).batch(32)
    return lambda: iter(batches)


def _torchvisions(name, crops, images, library):
    import torch

    peer_steps.torchvision_models()  # works with a CPU-only PyTorch too
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    bilinear = {"interpolation": v2.InterpolationMode.BILINEAR}
    transform = {
        "trivial_augment": lambda: v2.TrivialAugmentWide(**bilinear),
        "rand_augment": lambda: v2.RandAugment(**bilinear),
        "auto_augment": lambda: v2.AutoAugment(**bilinear),
        "erasing": lambda: v2.RandomErasing(p=1.0),
    }[name]()
    pictures = [_picture(crop, library) for crop in crops]

    def batches():
        each = map(transform, itertools.cycle(pictures))
        for _ in range(images // 32):
            yield np.stack([np.asarray(x) for x in itertools.islice(each, 32)])

    return batches


def _picture(crop, library):
    import torch
    from PIL import Image

    if library == "pillow":
        return Image.fromarray(crop)
    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))
