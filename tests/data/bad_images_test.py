"""Bad images: named or masked, never lost, never a crash."""

import dataclasses
import os

import numpy as np
import odd_images
import pytest
import tensorflow as tf

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import splits
from keras_resnet.evaluation import metrics
from keras_resnet.labels.view import View

FILL = (123.0, 116.0, 103.0)
RECIPE = recipes.Recipe(
    image_size=16,
    eval_resize=18,
    augmentation="scale_crop",
    scale_range=(18, 24),
    batch_size=4,
    steps=10,
)
NUM_BAD = len(odd_images.UNREADABLE_NAMES)


@pytest.fixture(scope="module")
def split(dirty):
    return datasets.load(f"folder:{dirty}", "train")


def _evaluate(split, masked=None):
    dataset = pipeline.eval_dataset(
        split, View.of(RECIPE), batch_size=4, masked=masked
    )
    batches = list(dataset.as_numpy_iterator())
    return {k: np.concatenate([b[k] for b in batches]) for k in batches[0]}


@pytest.fixture(scope="module")
def evaluated(split):
    """An evaluation's `MaskedImages` and the arrays that it read."""
    masked = bad_images.MaskedImages(split, NUM_BAD)
    return masked, _evaluate(split, masked)


def test_masking_counts_names_and_shifts_nothing(split, evaluated):
    (masked, found), n = evaluated, split.num_examples
    names = [os.path.basename(split.describe(i)) for i in range(n)]
    good = [name not in odd_images.UNREADABLE_NAMES for name in names]
    assert found["weight"].tolist() == good + [0] * (len(found["weight"]) - n)
    assert list(masked.reasons) == [i for i in range(n) if not good[i]]
    masked.check()
    # The good images are the same as in a split without the bad ones.
    kept = np.flatnonzero(good)
    without = dataclasses.replace(
        split,
        num_examples=len(kept),
        read=lambda index: split.read(tf.gather(kept, index)),
    )
    for key, values in _evaluate(without).items():
        np.testing.assert_array_equal(
            values[: len(kept)], found[key][:n][good], key
        )


def test_more_than_the_limit_are_refused_by_name(split, evaluated):
    """What an earlier session masked counts too."""
    masked, _ = evaluated
    earlier = {str(index): why for index, why in masked.reasons.items()}
    for limit in (NUM_BAD - 1, 1):
        again = bad_images.MaskedImages(split, limit, known=earlier)
        assert again.reasons == masked.reasons
        message = rf"mask:{limit} allows {limit}\..*bomb\.png .its header says"
        with pytest.raises(errors.UsageError, match=message):
            again.check()


# "none" reads whole images, one by one. "area_crop" reads parts of files and
# chooses the parts of many files at once.
@pytest.mark.parametrize("name", ["none", "area_crop"])
def test_training_masks_in_place_and_fails_without(split, name):
    recipe = dataclasses.replace(
        RECIPE, batch_size=split.num_examples, steps=1, augmentation=name
    )
    masked = bad_images.MaskedImages(split, NUM_BAD)
    dataset = pipeline.train_dataset(split, recipe, fill=FILL, masked=masked)
    (batch,) = dataset.as_numpy_iterator()
    assert batch["weight"].sum() == odd_images.NUM_READABLE
    assert len(masked) == NUM_BAD
    with pytest.raises(tf.errors.OpError):
        list(pipeline.train_dataset(split, recipe, fill=FILL))


def test_a_bad_image_is_named_in_one_line(split):
    dataset = pipeline.eval_dataset(split, View.of(RECIPE), batch_size=4)
    with pytest.raises(errors.UsageError, match="Cannot read .*: ") as info:
        list(bad_images.naming_bad(split, dataset, 4))
    assert "mask:N" in str(info.value) and "\n" not in str(info.value)


def test_masked_examples_change_no_metric():
    logits = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    label = np.array([0, 1, 2, 3, 4, 0])
    some = metrics.batch_sums(logits[:4], label[:4], np.ones(4, np.float32))
    weight = np.array([1, 1, 1, 1, 0, 0], np.float32)
    np.testing.assert_allclose(
        metrics.batch_sums(logits, label, weight), some, rtol=1e-6
    )


def test_the_flag_is_fail_or_a_limit():
    assert recipes.max_masked("fail") == 0
    assert recipes.max_masked("mask:7") == 7
    for text in ("mask", "mask:", "mask:0", "mask:-1", "skip"):
        with pytest.raises(errors.UsageError, match="fail or mask:N"):
            recipes.Recipe(on_bad_image=text)


def _mutants(n):
    """Real files of all formats with bytes changed, cut out or put in."""
    rng = np.random.default_rng(0)
    sources = [data for data, _ in odd_images.readable().values()]
    for number in range(n):
        data = bytearray(sources[number % len(sources)])
        kind = rng.integers(4)
        # Half of the damage hits the header, where sizes and lengths are.
        reach = len(data) if rng.integers(2) else min(len(data), 300)
        for _ in range(rng.integers(1, 6)):
            place = int(rng.integers(reach))
            if kind == 0:
                data[place : place + 1] = bytes([rng.integers(256)])
            elif kind == 1:
                del data[place : place + int(rng.integers(1, 20))]
            elif kind == 2:
                data[place:place] = rng.bytes(int(rng.integers(1, 20)))
            else:
                del data[max(place, 1) :]
                break
        yield bytes(data)


# The campaign of `make soak` damages many more.
@pytest.mark.parametrize("n", [48, pytest.param(192, marks=pytest.mark.large)])
def test_damaged_files_neither_crash_nor_are_lost(n):
    files = np.array(list(_mutants(n)), dtype=object)
    split = splits.Split.from_arrays(files, [0] * n, name="mutants")
    recipe = dataclasses.replace(RECIPE, batch_size=n, steps=1)
    masked = bad_images.MaskedImages(split, n)
    seen = _evaluate(split, masked)["weight"].sum()
    assert seen + len(masked) == n
    # Some files are read and some masked, or the test shows nothing.
    assert n / 20 < seen < n - n / 20
    masked = bad_images.MaskedImages(split, n)
    batches = pipeline.train_dataset(split, recipe, fill=FILL, masked=masked)
    assert sum(b["weight"].numpy().sum() for b in batches) + len(masked) == n


@pytest.mark.parametrize("where", ["the file", "the source"])
def test_a_message_that_is_not_utf8_names_the_image_too(where):
    def read(index):
        encoded = tf.constant(b"GI)87a%\xd5\xff\x00\x10")
        if where == "the source":
            bad = tf.debugging.Assert(index < 0, ["no record", encoded])
            with tf.control_dependencies([bad]):
                encoded = tf.identity(encoded)
        return encoded, tf.constant(0)

    split = splits.Split(
        name="made/validation",
        class_names=("one",),
        num_examples=1,
        read=read,
        describe=lambda index: f"file {index}.gif",
    )
    dataset = pipeline.eval_dataset(split, View.of(RECIPE), batch_size=1)
    with pytest.raises(errors.UsageError, match=r"^Cannot read file 0\.gif: "):
        list(bad_images.naming_bad(split, dataset, 1))
