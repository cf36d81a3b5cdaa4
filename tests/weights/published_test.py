"""The table of published weights, against the packages that publish them."""

import dataclasses
import hashlib
import math
import re

import keras
import numpy as np
import peers
import pytest
from small_weights import arrays
from small_weights import assert_equal_weights

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.networks import specs
from keras_resnet.weights import cache
from keras_resnet.weights import descriptions
from keras_resnet.weights import published as published_lib
from keras_resnet.weights import transfer
from keras_resnet.weights.layouts import LAYOUTS

ROWS = tuple(row for row in published_lib.WEIGHTS if not row.is_repository)
ON_THE_HUB = tuple(row for row in published_lib.WEIGHTS if row.is_repository)
V1, V2 = (f"torchvision:IMAGENET1K_V{n}" for n in (1, 2))
BOTTLENECKS = ("resnet50", "resnet101", "resnet152")
WIDE = ("wide_resnet50_2", "wide_resnet101_2")
RESNEXT = ("resnext50_32x4d", "resnext101_32x8d")


def rows_of(source):
    return [row for row in ROWS if row.tag.startswith(source)]


def name_in_peer(row):
    return row.variant.removesuffix("_v1_5").replace("_v2_keras", "V2")


def by_name(row):
    return f"{row.variant}-{row.tag}"


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_a_row_can_be_fetched_by_its_tag(row):
    assert re.fullmatch(cache._CHECKSUM, row.checksum)
    assert cache._file_name(row.url)
    assert published_lib.resolve(row.variant, row.tag) is row
    # keras.applications strides in the first 1x1, as the paper's block.
    kind = specs.VARIANTS[row.variant].block
    assert (row.layout == "keras_applications") == (kind == "bottleneck")
    assert row.layout in LAYOUTS


@pytest.mark.parametrize("row", rows_of("imagenet"), ids=by_name)
def test_keras_rows_are_what_keras_downloads(row, monkeypatch, tmp_path):
    from keras.src.applications import resnet

    for stage in ("stack_residual_blocks_v1", "stack_residual_blocks_v2"):
        monkeypatch.setattr(resnet, stage, lambda x, *sizes, **choices: x)
    asked = {}

    def get_file(name, url, **kwargs):
        asked.update(kwargs, name=name, url=url)
        raise InterruptedError

    monkeypatch.setattr(resnet.file_utils, "get_file", get_file)
    with pytest.raises(InterruptedError):
        name = name_in_peer(row).replace("resnet", "ResNet")
        getattr(keras.applications, name)()
    assert asked["url"] == row.url
    assert asked["name"] == row.url.rpartition("/")[2]
    assert f"md5:{asked['file_hash']}" == row.checksum
    assert asked["cache_subdir"] == "models"


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
        for variant in (
            *("resnet18", "resnet34", *BOTTLENECKS, *WIDE, *RESNEXT),
            "resnext101_64x4d",
        )
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


def test_rows_of_timm_on_the_hub_are_all_that_timm_has_and_as_timm_has_them():
    timm = peers.timm_module()
    names = {
        name
        for arch in ("resnet*", "resnetv2_*", "wide_resnet*", "resnext*")
        for name in timm.list_pretrained(arch)
        if descriptions.timm_variant(name.partition(".")[0]) in specs.VARIANTS
    }
    rows = {row.tag.removeprefix("hf://timm/"): row for row in ON_THE_HUB}
    ours = {name: row for name, row in rows.items() if "/" not in name}
    assert ours.keys() == names
    for name, row in ours.items():
        theirs = timm.models.get_pretrained_cfg(name)
        assert theirs.hf_hub_id == f"timm/{name}"
        assert (row.licence or "").lower() == (theirs.license or "")
        assert row.crop == theirs.input_size[-1]
        assert row.resize == math.floor(row.crop / theirs.crop_pct)
        assert row.interpolation == theirs.interpolation
        assert_same_pixels(row, theirs.mean, theirs.std)


def test_the_hubs_file_of_a_tag_is_the_one_that_timm_took_from_it():
    """timm names the same URL for what it has put on the hub."""
    timm = peers.timm_module()
    on_the_hub = [row for row in ROWS if row.hub]
    others = [row for row in ROWS if not row.hub]
    assert {row.tag for row in others} == {"imagenet"}  # of Keras, in HDF5
    for row in on_the_hub:
        theirs = timm.models.get_pretrained_cfg(row.hub.rpartition("/")[2])
        assert theirs.url == row.url


def assert_same_pixels(row, mean, std):
    assert row.pixel_mean == pytest.approx([255 * value for value in mean])
    assert row.pixel_std == pytest.approx([255 * value for value in std])


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
        ("resnet50_v2", "imagenet", ["'resnet50_v2_keras' has them: another"]),
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


def test_list_weights_shows_every_row_and_what_is_not_published():
    table = keras_resnet.list_weights()
    assert tuple(table) == published_lib.WEIGHTS
    header, *lines = str(table).splitlines()
    for title in ("variant", "weights", "licence", "interpolation", "top-1"):
        assert title in header
    for row, line in zip(table, lines, strict=True):
        for cell in (row.variant, row.tag, row.licence or "not published"):
            assert cell in line
    # Aligned.
    torchvision = [line for line in lines if "torchvision:" in line]
    assert {line.index("torchvision:") for line in torchvision} == {
        header.index("weights")
    }
    row = dataclasses.replace(ROWS[0], top1_accuracy=None)
    assert "not published" in repr(published_lib.WeightsTable([row]))


def test_list_weights_of_a_variant():
    rows = keras_resnet.list_weights("resnet18")
    assert [row.tag for row in rows][:2] == [V1, "timm:a1_in1k"]
    assert {row.tag for row in rows[2:]} >= {"hf://timm/resnet18.a2_in1k"}
    assert not keras_resnet.list_weights("resnet20")
    with pytest.raises(UsageError, match="Did you mean 'resnet50'"):
        keras_resnet.list_weights("resnet5O")


# A tag through `build`, as a user types it.


def build(channels=3, **choices):
    shape, filters = (40, 40, channels), (8, 8, 8, 8)
    return keras_resnet.build(
        "resnet18", input_shape=shape, filters=filters, **choices
    )


@pytest.fixture(scope="module")
def donor():
    return build(pixel_mean=(1, 2, 3))


@pytest.fixture
def downloaded(donor, tmp_path, monkeypatch):
    """The file that a download would leave in Keras' cache; offline."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    path = tmp_path / "models" / "some.safetensors"
    path.parent.mkdir()
    keras_resnet.save_weights(donor, path, layout="torchvision")
    [row] = [r for r in ROWS if (r.variant, r.tag) == ("resnet18", V1)]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    row = dataclasses.replace(
        row,
        hub=None,
        url=f"https://weights.invalid/{path.name}",
        checksum=f"sha256:{digest}",
    )
    monkeypatch.setattr(published_lib, "WEIGHTS", (row,))


def test_a_tag_brings_weights_and_constants(donor, downloaded):
    assert_equal_weights(build(weights=V1), donor)


@pytest.mark.parametrize("include_top", [True, False])
def test_one_channel_gets_the_first_kernel_summed(
    donor, downloaded, include_top
):
    grey = build(channels=1, weights=V1, include_top=include_top)
    pixels = donor.get_layer("pixels")
    rgb = arrays(donor)["stem/conv1/kernel"]
    kernel, *_ = transfer.grey_kernel(rgb, pixels.mean, pixels.std)
    ours = arrays(grey)
    np.testing.assert_array_equal(ours["stem/conv1/kernel"], kernel)
    last = "stage4_unit2/conv1/kernel"
    np.testing.assert_array_equal(ours[last], arrays(donor)[last])


def test_the_tags_are_those_that_are_documented():
    tags = {}
    for row in ROWS:
        tags.setdefault(row.variant, []).append(row.tag)
    assert tags == {
        **{name: ["imagenet"] for name in BOTTLENECKS},
        **{f"{name}_v2_keras": ["imagenet"] for name in BOTTLENECKS},
        "resnet18": [V1, "timm:a1_in1k"],
        "resnet34": [V1, "timm:a1_in1k"],
        **{f"{n}_v1_5": [V1, V2, "timm:a1_in1k"] for n in BOTTLENECKS},
        **{name: [V1, V2] for name in (*WIDE, *RESNEXT)},
        "resnext101_64x4d": [V1],
    }


@pytest.mark.parametrize("row", rows_of("imagenet"), ids=by_name)
def test_keras_pixels_are_keras_preprocessing(row):
    module = "resnet_v2" if "v2" in row.variant else "resnet"
    preprocess = getattr(keras.applications, module).preprocess_input
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 2, 2, 3))
    theirs = preprocess(pixels.copy())
    theirs = theirs if "v2" in row.variant else theirs[..., ::-1]  # BGR
    ours = (pixels - row.pixel_mean) / row.pixel_std
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
