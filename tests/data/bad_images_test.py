"""Bad images: named or masked, never lost, never a crash."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf
from decoding_test import BOMBS
from photographs import encoded
from photographs import photograph
from PIL import Image

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
VIEW = View.of(RECIPE)
PHOTOGRAPH = photograph("china.jpg", 40, 30)
JPEG = encoded(PHOTOGRAPH, "JPEG")


def _gif():
    frames = [Image.fromarray(PHOTOGRAPH), Image.fromarray(255 - PHOTOGRAPH)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def _exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(PHOTOGRAPH, "JPEG", exif=exif)


def _sixteen_bits():
    grey = np.asarray(Image.fromarray(PHOTOGRAPH).convert("L"), np.uint16)
    return encoded(Image.fromarray(grey * 257), "PNG")


GOOD = {
    b"plain.jpg": JPEG,
    b"cmyk.jpg": encoded(Image.fromarray(PHOTOGRAPH).convert("CMYK"), "JPEG"),
    b"grey.jpg": encoded(Image.fromarray(PHOTOGRAPH).convert("L"), "JPEG"),
    b"png named.JPEG": encoded(PHOTOGRAPH, "PNG"),
    b"sixteen.png": _sixteen_bits(),
    b"alpha.png": encoded(Image.fromarray(PHOTOGRAPH).convert("RGBA"), "PNG"),
    b"animated.gif": _gif(),
    b"rotated.jpg": _exif(),
    b"small.jpg": encoded(PHOTOGRAPH[:5, :7], "JPEG"),
    b"narrow.png": encoded(PHOTOGRAPH[:, :1], "PNG"),
    b"narrow.jpg": encoded(PHOTOGRAPH[:1], "JPEG"),
    b"one.jpg": encoded(PHOTOGRAPH[:1, :1], "JPEG"),
    b"\xff\xfe not utf-8 [*].jpg": JPEG,
}
BAD = {
    b"zero.jpg": b"",
    b"cut.jpg": JPEG[: len(JPEG) // 3],
    b"cut.png": encoded(PHOTOGRAPH, "PNG")[:-40],
    b"page.jpg": b"<html>404</html>",
    b"bomb.png": BOMBS["PNG"],
    b"bomb.jpg": BOMBS["JPEG 2"],
}


def _folder(path, files):
    for split in ("train", "validation"):
        for name, data in files.items():
            folder = os.fsencode(path / split / "a")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
    return f"folder:{path}"


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    return _folder(tmp_path_factory.mktemp("dirty"), {**GOOD, **BAD})


def _all(split, masked=None, batch_size=4):
    return list(
        pipeline.eval_dataset(
            split, VIEW, batch_size=batch_size, masked=masked
        ).as_numpy_iterator()
    )


def test_good_files_of_every_kind_are_read(tmp_path):
    split = datasets.load(_folder(tmp_path, GOOD), "train")
    batches = _all(split)
    assert sum(batch["weight"].sum() for batch in batches) == len(GOOD)
    recipe = dataclasses.replace(RECIPE, batch_size=len(GOOD), steps=3)
    for batch in pipeline.train_dataset(split, recipe, fill=FILL):
        assert batch["image"].shape == (len(GOOD), 16, 16, 3)
        assert (batch["weight"] == 1).numpy().all()


def test_masking_counts_names_and_shifts_nothing(dirty, caplog):
    split = datasets.load(dirty, "train")
    masked = bad_images.MaskedImages(split, len(BAD))
    batches = _all(split, masked)
    weights = np.concatenate([batch["weight"] for batch in batches])
    names = [
        os.path.basename(os.fsencode(split.describe(i)))
        for i in range(split.num_examples)
    ]
    n = len(names)
    assert n == len(GOOD) + len(BAD)
    for name, weight in zip(names, weights[:n], strict=True):
        assert weight == (name in GOOD), name
    assert not weights[n:].any()
    # The count seen and the count masked are the count there.
    assert weights.sum() + len(masked) == n
    assert list(masked.reasons) == [i for i in range(n) if names[i] in BAD]
    masked.check()
    # The others are what they are without the bad ones.
    clean = {
        name: batch["image"][i]
        for k, batch in enumerate(_all(_without(split, masked), batch_size=4))
        for i, name in enumerate(
            [name for name in names if name in GOOD][4 * k : 4 * k + 4]
        )
    }
    images = np.concatenate([batch["image"] for batch in batches])
    for name, image in zip(names, images[:n], strict=True):
        if name in GOOD:
            np.testing.assert_array_equal(image, clean[name])


def _without(split, masked):
    kept = [i for i in range(split.num_examples) if i not in masked.reasons]
    kept = tf.constant(kept, tf.int64)
    return dataclasses.replace(
        split,
        num_examples=len(kept),
        read=lambda index: split.read(tf.gather(kept, index)),
    )


def test_more_bad_images_than_allowed_stop_the_run_by_name(dirty):
    split = datasets.load(dirty, "train")
    masked = bad_images.MaskedImages(split, len(BAD) - 1)
    _all(split, masked)
    with pytest.raises(errors.UsageError, match=r"cut\.jpg .it is truncated"):
        masked.check()


def test_training_masks_in_place_and_fails_without(dirty):
    split = datasets.load(dirty, "train")
    n = split.num_examples
    recipe = dataclasses.replace(
        RECIPE, batch_size=n, steps=2, augmentation="none"
    )
    masked = bad_images.MaskedImages(split, len(BAD))
    dataset = pipeline.train_dataset(split, recipe, fill=FILL, masked=masked)
    for batch in dataset.as_numpy_iterator():
        assert batch["weight"].sum() == len(GOOD)
    assert len(masked) == len(BAD)
    with pytest.raises(tf.errors.OpError):
        list(pipeline.train_dataset(split, recipe, fill=FILL))


def test_a_bad_image_of_an_evaluation_is_named(dirty):
    split = datasets.load(dirty, "validation")
    dataset = pipeline.eval_dataset(split, VIEW, batch_size=4)
    with pytest.raises(errors.UsageError, match="Cannot read .*bomb.jpg: "):
        list(bad_images.naming_bad(split, dataset, 4))


def test_masked_examples_change_no_metric():
    logits = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    label = np.array([0, 1, 2, 3, 4, 0])
    some = metrics.batch_sums(logits[:4], label[:4], np.ones(4, np.float32))
    weight = np.array([1, 1, 1, 1, 0, 0], np.float32)
    np.testing.assert_allclose(
        metrics.batch_sums(logits, label, weight), some, rtol=1e-6
    )


def test_what_an_earlier_session_masked_still_counts(dirty):
    split = datasets.load(dirty, "train")
    masked = bad_images.MaskedImages(split, 1, known={"0": "a", "3": "b"})
    assert masked.reasons == {0: "a", 3: "b"}
    with pytest.raises(errors.UsageError, match="mask:1 allows 1"):
        masked.check()


def test_blame_names_the_file_that_is_no_image(dirty):
    split = datasets.load(dirty, "train")
    error = tf.errors.UnknownError(None, None, "")
    blamed = bad_images.blame(split, range(split.num_examples), error)
    assert isinstance(blamed, errors.UsageError)
    assert "bomb.jpg" in str(blamed) and "mask:N" in str(blamed)
    assert "\n" not in str(blamed)


@pytest.mark.parametrize("text, limit", [("fail", 0), ("mask:7", 7)])
def test_the_flag_is_fail_or_a_limit(text, limit):
    assert recipes.max_masked(text) == limit


@pytest.mark.parametrize("text", ["mask", "mask:", "mask:0", "mask:-1", "skip"])
def test_another_flag_is_refused(text):
    with pytest.raises(errors.UsageError, match="fail or mask:N"):
        recipes.Recipe(on_bad_image=text)


def _mutants(n):
    """Real JPEG and PNG files with bytes changed, cut out or put in."""
    rng = np.random.default_rng(0)
    sources = [JPEG, encoded(PHOTOGRAPH, "PNG"), encoded(PHOTOGRAPH, "GIF")]
    sources.append(encoded(PHOTOGRAPH, "JPEG", progressive=True))
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


def test_a_thousand_damaged_files_neither_crash_nor_are_lost():
    files = tf.constant(list(_mutants(1000)))
    n = len(files)
    split = splits.Split(
        name="mutants",
        class_names=("a",),
        num_examples=n,
        read=lambda index: (tf.gather(files, index), tf.constant(0)),
        describe=lambda index: f"mutant {index}",
    )
    for make in (
        lambda masked: pipeline.eval_dataset(
            split, VIEW, batch_size=64, masked=masked
        ),
        lambda masked: pipeline.train_dataset(
            split,
            dataclasses.replace(RECIPE, batch_size=64, steps=-(-n // 64)),
            fill=FILL,
            masked=masked,
        ),
    ):
        masked = bad_images.MaskedImages(split, n)
        batches = list(make(masked).as_numpy_iterator())
        weights = np.concatenate([b["weight"] for b in batches])[:n]
        assert len(weights) == n
        seen = int(weights.sum())
        assert seen + np.sum(weights == 0) == n
        # Some of either kind, or nothing was tested.
        assert n / 20 < seen < n - n / 20
        assert abs(np.sum(weights == 0) - len(masked)) <= 64
