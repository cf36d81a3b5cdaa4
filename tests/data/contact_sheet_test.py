"""The contact sheet shows what training and evaluation give."""

import dataclasses
import os

import numpy as np
import odd_images
import pytest
from PIL import Image

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import splits
from keras_resnet.data.survey import contact_sheet
from keras_resnet.labels.view import View


def _names(split, indices):
    return {os.path.basename(split.describe(index)) for index in indices}


RECIPE = recipes.load(
    "digits", {"image_size": 24, "eval_resize": 28, "batch_size": 8}
)
FILL = (100.0, 110.0, 120.0)


def _views(split, count, recipe=RECIPE):
    return contact_sheet.first_views(split, recipe, fill=FILL, count=count)


@pytest.mark.parametrize(
    "augmentation, count, policy",
    [
        ("pad_crop", 5, {}),
        pytest.param(
            "imagenet",
            20,
            {"policy": "trivial_augment", "erasing": 0.5},
            marks=pytest.mark.large,
        ),
    ],
)
def test_views_are_those_of_the_first_steps_of_training(
    augmentation, count, policy
):
    recipe = dataclasses.replace(
        RECIPE,
        augmentation=augmentation,
        scale_range=(24, 40),
        seed=1,
        **policy,
    )
    split = datasets.load("digits", "validation")
    split = splits.select(split, np.arange(21))
    views = _views(split, count, recipe)
    batches = pipeline.train_dataset(split, recipe, fill=FILL).take(3)
    images = np.concatenate([batch["image"] for batch in batches])[:count]
    labels = np.concatenate([batch["label"] for batch in batches])[:count]
    np.testing.assert_array_equal(views.training, images)
    assert views.captions == [split.class_names[label] for label in labels]
    # The evaluation views are of the same examples.
    batches = pipeline.eval_dataset(split, View.of(recipe), batch_size=1)
    of_all = [b["image"][0] for b in batches.as_numpy_iterator()]
    for index, image in zip(views.indices, views.evaluation, strict=True):
        np.testing.assert_array_equal(image, of_all[index])


def test_views_of_unreadable_examples_are_grey_and_leave_the_others(dirty):
    split = datasets.load(f"folder:{dirty}", "train")
    views = _views(split, split.num_examples)
    assert sorted(views.indices) == list(range(split.num_examples))
    bad = {i for i, c in zip(views.indices, views.captions) if c is None}
    assert _names(split, bad) == odd_images.UNREADABLE_NAMES
    for place, caption in enumerate(views.captions):
        assert (np.ptp(views.evaluation[place]) == 0) == (caption is None)


def _draw(views, path):
    contact_sheet.draw(views, path, title="A $title$", subtitle="small")
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("size, factor", [(16, 8), (28, 5), (224, 1)])
def test_the_sheet_holds_every_view_pixel_by_pixel(tmp_path, size, factor):
    rng = np.random.default_rng(size)
    shape = (11, size, size, 3)
    images = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
    views = contact_sheet.Views(
        indices=np.arange(11),
        captions=["x" * 90, None, "$a$_b", "\udce9t\u00e9"] + ["y z"] * 7,
        training=images[0],
        evaluation=images[1],
    )
    sheet = _draw(views, tmp_path / "sheet.png")
    for image in images.reshape(22, size, size, 3):
        corner = (sheet == image[0, 0]).all(axis=-1)
        found = [
            (y, x)
            for y, x in zip(*np.nonzero(corner), strict=True)
            if np.array_equal(
                sheet[y : y + factor * size : factor][
                    :, x : x + factor * size : factor
                ],
                image,
            )
        ]
        assert found
