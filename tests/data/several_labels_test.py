"""Examples of any number of classes keep them, from the split to the batch."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.data import bad_images
from keras_resnet.data import pipeline
from keras_resnet.data.examples import splits
from keras_resnet.data.survey import contact_sheet
from keras_resnet.data.survey import inspection
from keras_resnet.data.survey import manifest
from keras_resnet.errors import UsageError
from keras_resnet.labels.view import View
from keras_resnet.recipes import Recipe
from keras_resnet.training import checks

LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1]], np.uint8)
PIXELS = np.stack([np.full((8, 8, 3), 60 * i, np.uint8) for i in range(4)])
RECIPE = Recipe(
    image_size=8,
    eval_resize=8,
    augmentation="none",
    batch_size=2,
    steps=2,
)


@pytest.fixture(scope="module")
def split():
    """Four pictures, of which the second cannot be read."""
    pixels = tf.constant(PIXELS)

    def read(index):
        image = splits.checked(tf.gather(pixels, index), index != 1, "lost")
        return image, tf.gather(tf.constant(LABELS), index)

    return splits.Split(
        name="mine/train",
        class_names=("cat", "dog", "owl"),
        num_examples=4,
        read=read,
        describe=lambda index: f"{index}.png",
        labels=LABELS,
        multi_label=True,
    )


def test_batches_have_all_classes_and_a_masked_image_has_none(split):
    masked = bad_images.MaskedImages(split, 1)
    batches = pipeline.eval_dataset(
        split, View(resize=8, crop=8), batch_size=3, masked=masked
    )
    assert batches.element_spec["label"] == tf.TensorSpec((3, 3), tf.uint8)
    rows = [row for batch in batches for row in batch["label"].numpy()]
    expected = LABELS.copy()
    expected[1] = 0
    np.testing.assert_array_equal(rows[:4], expected)
    weights = [w for batch in batches for w in batch["weight"].numpy()]
    assert weights == [1, 0, 1, 1, 0, 0]


def test_training_takes_them_by_both_ways(split):
    good = splits.select(split, np.array([3, 2, 0]))
    held = splits.Split.from_arrays(PIXELS[[3, 2, 0]], good.labels)
    np.testing.assert_array_equal(held.labels, LABELS[[3, 2, 0]])
    seen = []
    for one in (good, held):
        batches = list(pipeline.train_dataset(one, RECIPE, fill=(0, 0, 0)))
        seen.append(np.concatenate([batch["label"] for batch in batches]))
        assert batches[0]["label"].dtype == tf.uint8
    np.testing.assert_array_equal(*seen)
    assert len({tuple(row) for row in seen[0]}) == 3


def test_a_survey_counts_each_class_and_names_them(split):
    found = inspection.survey(split)
    assert found.class_counts.tolist() == [2, 2, 1]
    assert [index for index, _ in found.unreadable] == [1]
    views = contact_sheet.first_views(split, RECIPE, fill=(0, 0, 0), count=4)
    captions = dict(zip(views.indices.tolist(), views.captions, strict=True))
    assert captions == {0: "cat", 1: None, 2: "no class", 3: "dog|owl"}
    for words in ("any number each", "3 classes"):
        assert words in repr(split)
    assert "<td>2</td>" in split._repr_html_()


def test_a_manifest_tells_a_label_that_was_added(split, tmp_path):
    path = tmp_path / "manifest.jsonl"
    writer = manifest.Writer(path, dataset="m", class_names=split.class_names)
    for record in manifest.records("train", split):
        writer.add(record)
    writer.close()
    labels = [
        json.loads(line)["label"] for line in path.read_text().splitlines()[1:]
    ]
    assert labels == [[0], [0, 1], [], [1, 2]]
    for changed, expected in ((None, []), (2, [("train", "2.png")])):
        today = LABELS.copy()
        if changed is not None:
            today[changed, 0] = 1
        other = dataclasses.replace(
            split,
            labels=today,
            read=lambda i, t=today: (split.read(i)[0], tf.gather(t, i)),
        )
        comparison = manifest.Comparison(
            path, class_names=split.class_names, splits=["train"]
        )
        for record in manifest.records("train", other):
            comparison.add(record)
        assert comparison.relabelled == expected


def test_a_class_that_no_example_has_is_refused(split):
    checks.check_classes(split)
    fewer = splits.select(split, np.array([0, 1]))
    with pytest.raises(UsageError, match="1 of 3 classes .*: owl"):
        checks.check_classes(fewer)


@pytest.mark.parametrize("several", [True, False])
def test_labels_of_another_shape_are_refused(split, several):
    labels = LABELS[:, 0] if several else LABELS
    with pytest.raises(UsageError, match="needs labels of the shape"):
        dataclasses.replace(split, labels=labels, multi_label=several)
