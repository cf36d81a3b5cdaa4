"""The table of published weights, against the packages that publish them."""

import dataclasses
import hashlib
import math
import re

import keras
import peers
import pytest

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.networks import specs
from keras_resnet.weights import cache
from keras_resnet.weights import published as published_lib

ROWS = published_lib.WEIGHTS
BOTTLENECKS = ("resnet50", "resnet101", "resnet152")


def rows_of(source):
    return [row for row in ROWS if row.tag.startswith(source)]


def name_in_peer(row):
    return row.variant.removesuffix("_v1_5")


def by_name(row):
    return f"{row.variant}-{row.tag}"


def test_the_tags_are_those_that_are_documented():
    tags = {}
    for row in ROWS:
        tags.setdefault(row.variant, []).append(row.tag)
    v1, v2 = (f"torchvision:IMAGENET1K_V{n}" for n in (1, 2))
    assert tags == {
        **{name: ["imagenet"] for name in BOTTLENECKS},
        "resnet18": [v1, "timm:a1_in1k"],
        "resnet34": [v1, "timm:a1_in1k"],
        **{f"{n}_v1_5": [v1, v2, "timm:a1_in1k"] for n in BOTTLENECKS},
    }


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_a_row_is_consistent(row):
    assert row.variant in specs.VARIANTS
    assert row.url.startswith("https://")
    assert re.fullmatch(cache._CHECKSUM, row.checksum)
    assert cache._file_name(row.url)
    # A crop and its classifier of ImageNet; Keras strides in the 1x1.
    assert 0 < row.crop < row.resize
    assert 0.5 < row.top1_accuracy < row.top5_accuracy < 1
    kind = specs.VARIANTS[row.variant].block
    assert (row.layout == "keras_applications") == (kind == "bottleneck")
    assert row.licence in ("MIT", "BSD-3-Clause", "Apache-2.0", None)


def test_files_in_the_cache_have_different_names():
    assert len({row.url.rpartition("/")[2] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", rows_of("imagenet"), ids=by_name)
def test_keras_rows_are_what_keras_downloads(row, monkeypatch, tmp_path):
    from keras.src.applications import resnet

    asked = {}

    def get_file(name, url, **kwargs):
        asked.update(kwargs, name=name, url=url)
        raise InterruptedError

    monkeypatch.setattr(resnet.file_utils, "get_file", get_file)
    with pytest.raises(InterruptedError):
        getattr(resnet, row.variant.replace("resnet", "ResNet"))()
    assert asked["url"] == row.url
    assert asked["name"] == row.url.rpartition("/")[2]
    assert f"md5:{asked['file_hash']}" == row.checksum
    assert asked["cache_subdir"] == "models"


def test_keras_pixels_are_keras_preprocessing():
    import numpy as np

    row = rows_of("imagenet")[0]
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 2, 2, 3))
    theirs = keras.applications.resnet.preprocess_input(pixels.copy())
    ours = (pixels - row.pixel_mean) / row.pixel_std
    np.testing.assert_allclose(ours[..., ::-1], theirs, atol=1e-4)


@pytest.fixture(scope="module")
def torchvision_models():
    return peers.torchvision_models()


@pytest.mark.parametrize("row", rows_of("torchvision:"), ids=by_name)
def test_torchvision_rows_are_torchvisions(row, torchvision_models):
    published = torchvision_models.get_model_weights(name_in_peer(row))
    theirs = published[row.tag.partition(":")[2]]
    assert row.url == theirs.url
    metrics = theirs.meta["_metrics"]["ImageNet-1K"]
    assert row.top1_accuracy == pytest.approx(metrics["acc@1"] / 100)
    assert row.top5_accuracy == pytest.approx(metrics["acc@5"] / 100)
    transform = theirs.transforms()
    assert [row.resize] == transform.resize_size
    assert [row.crop] == transform.crop_size
    assert row.interpolation == transform.interpolation.value
    assert row.antialias is transform.antialias
    assert_same_pixels(row, transform.mean, transform.std)


def test_torchvision_has_no_other_weights_of_ours(torchvision_models):
    published = {
        (variant, f"torchvision:{weights.name}")
        for variant in ("resnet18", "resnet34", *BOTTLENECKS)
        for weights in torchvision_models.get_model_weights(variant)
    }
    ours = {(name_in_peer(row), row.tag) for row in rows_of("torchvision:")}
    assert ours == published


@pytest.mark.parametrize("row", rows_of("timm:"), ids=by_name)
def test_timm_rows_are_timms(row):
    timm = peers.timm_module()
    tag = row.tag.partition(":")[2]
    theirs = timm.models.get_pretrained_cfg(f"{name_in_peer(row)}.{tag}")
    assert row.url == theirs.url
    assert row.licence.lower() == theirs.license
    assert row.crop == theirs.input_size[-1]
    assert row.resize == math.floor(row.crop / theirs.crop_pct)
    assert row.interpolation == theirs.interpolation
    assert_same_pixels(row, theirs.mean, theirs.std)


def assert_same_pixels(row, mean, std):
    assert row.pixel_mean == pytest.approx([255 * value for value in mean])
    assert row.pixel_std == pytest.approx([255 * value for value in std])


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_a_tag_is_resolved(row):
    assert published_lib.resolve(row.variant, row.tag) is row


@pytest.mark.parametrize(
    "path", ["a.weights.h5", "folder/file", "imagenet.h5", "./imagenet"]
)
def test_a_path_passes_through(path, tmp_path):
    assert published_lib.resolve("resnet50", path) is path
    assert published_lib.resolve("resnet50", tmp_path) is tmp_path
    assert published_lib.resolve("resnet50", None) is None


@pytest.mark.parametrize(
    "variant, weights, messages",
    [
        (
            "resnet50",
            "torchvision:IMAGENET1K_V2",
            ["'resnet50_v1_5' has them", "Known for 'resnet50': imagenet,"],
        ),
        ("resnet152_v1_5", "imagenet", ["'resnet152' has them", "a1_in1k"]),
        ("resnet18", "imagenet", ["They are of 'resnet50', 'resnet101'"]),
        ("resnet34", "torchvision:IMAGENET1K_V2", ["'resnet50_v1_5'"]),
        ("resnet50", "imagenot", ["Did you mean 'imagenet'?"]),
        ("resnet18", "timm:resnet18.a1_in1k", ["Did you mean 'timm:a1_in1k'"]),
        ("resnet20", "imagenet", ["Known for 'resnet20': none"]),
        ("resnet50", "", ["no weights ''"]),
    ],
)
def test_a_tag_that_does_not_fit_is_told(variant, weights, messages):
    with pytest.raises(UsageError) as caught:
        published_lib.resolve(variant, weights)
    for message in [*messages, f"Received: weights={weights!r}"]:
        assert message in str(caught.value)


def test_fetch_takes_the_file_from_keras_cache(monkeypatch, tmp_path):
    """Offline: this url cannot be reached."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    content = b"weights"
    row = dataclasses.replace(
        ROWS[0],
        url="https://weights.invalid/some.h5",
        checksum="md5:" + hashlib.md5(content).hexdigest(),
    )
    path = tmp_path / "models" / "some.h5"
    path.parent.mkdir()
    path.write_bytes(content)
    assert published_lib.fetch(row) == path


def test_list_weights_shows_every_row():
    table = keras_resnet.list_weights()
    assert tuple(table) == ROWS
    header, *lines = str(table).splitlines()
    assert len(lines) == len(ROWS)
    for title in ("variant", "weights", "licence", "interpolation", "top-1"):
        assert title in header
    for row, line in zip(ROWS, lines, strict=True):
        for cell in (row.variant, row.tag, row.licence or "not published"):
            assert header and cell in line
    assert {line.index("torchvision:") for line in lines[3:11]} == {
        header.index("weights")
    }
    assert repr(table) == str(table)


def test_list_weights_of_a_variant():
    rows = keras_resnet.list_weights("resnet50_v1_5")
    assert [row.tag for row in rows] == [
        "torchvision:IMAGENET1K_V1",
        "torchvision:IMAGENET1K_V2",
        "timm:a1_in1k",
    ]
    assert not keras_resnet.list_weights("resnet20")
    with pytest.raises(UsageError, match="Did you mean 'resnet50'"):
        keras_resnet.list_weights("resnet5O")


def test_what_is_not_published_says_so():
    row = dataclasses.replace(ROWS[0], top1_accuracy=None, licence=None)
    line = str(published_lib.WeightsTable([row])).splitlines()[1]
    assert line.count("not published") == 2
