"""Weights of other libraries: the same logits, and refusal of what is wrong.

A peer's own code makes and runs a network whose every tensor is random; ours
reads the peer's file and must give its logits on the same pixels.
"""

import hashlib
import json
import pathlib
import pickle
import re
import subprocess
import sys
import zipfile

import h5py
import hostile_weights
import keras
import numpy as np
import peers
import pytest
import safetensors.numpy

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.networks import specs
from keras_resnet.weights import identity
from keras_resnet.weights import layouts

IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
HALF = ((127.5,) * 3, (127.5,) * 3)
CLASSES = 20
TOLERANCE = 1e-4  # of the logits' standard deviation
large = pytest.mark.large


def pixels(size):
    """Two images of large patches: noise all looks alike once it is pooled."""
    patches = np.random.default_rng(size).integers(0, 256, (2, 4, 4, 3))
    patches[0] //= 4  # and one of them dark
    side = -(-size // 4)
    images = patches.repeat(side, 1).repeat(side, 2)[:, :size, :size]
    return images.astype("uint8")


def our_logits(variant, source, images, **kwargs):
    model = keras_resnet.build(
        variant,
        weights=source,
        input_shape=(None, None, 3),
        classifier_activation=None,
        **kwargs,
    )
    return np.asarray(model(images))


def difference(ours, theirs):
    """The largest difference over the spread of the peer's logits."""
    assert ours.shape == theirs.shape
    assert theirs.std() > 0.1, "logits that do not depend on the pixels"
    spread = (theirs - theirs.mean(0, keepdims=True)).std()
    assert spread > 1e-3 * theirs.std(), "logits that the pixels do not move"
    return np.abs(ours - theirs).max() / theirs.std()


def agree(record_property, ours, theirs):
    reached = difference(ours, theirs)
    record_property("difference", float(reached))
    spread = (theirs - theirs.mean(0)).std() / theirs.std()
    print(
        f"difference {reached:.1e}; between images {spread:.2f} of the spread"
    )
    assert reached < TOLERANCE


# What each peer's code makes.


def torch_file(path, net):
    torch = peers.torch_module()
    if path.suffix == ".pth":
        torch.save(net.state_dict(), path)
    else:
        torch_safetensors = pytest.importorskip("safetensors.torch")
        torch_safetensors.save_file(net.state_dict(), path)


def torchvision_net(depth):
    make = getattr(peers.torchvision_models(), f"resnet{depth}")
    return peers.fill_torch(make(num_classes=CLASSES))


def timm_net(name):
    make = peers.timm_module().create_model
    return peers.fill_torch(make(name, num_classes=CLASSES))


def v1_variant(depth):
    return f"resnet{depth}" if depth < 50 else f"resnet{depth}_v1_5"


@pytest.mark.parametrize(
    "depth, size, suffix",
    [
        (18, 97, ".pth"),
        *(
            pytest.param(depth, size, ".safetensors", marks=marks)
            for depth, size, marks in [
                (18, 97, ()),
                (34, 64, ()),
                (50, 97, ()),
                (101, 64, ()),
                (152, 97, large),
                *((n, 224, large) for n in (18, 34, 50, 101, 152)),
            ]
        ),
    ],
)
def test_torchvisions_weights_give_its_logits(
    depth, size, suffix, tmp_path, record_property
):
    net, path = torchvision_net(depth), tmp_path / f"net{suffix}"
    torch_file(path, net)
    ours = our_logits(v1_variant(depth), path, pixels(size), classes=CLASSES)
    theirs = peers.torch_logits(net, pixels(size), *IMAGENET)
    agree(record_property, ours, theirs)


@pytest.mark.parametrize(
    "depth, size",
    [
        (18, 224),
        *(pytest.param(n, 97, marks=large) for n in (34, 50, 101, 152)),
    ],
)
def test_timms_resnet_weights_give_its_logits(
    depth, size, tmp_path, record_property
):
    net, path = timm_net(f"resnet{depth}"), tmp_path / "net.safetensors"
    torch_file(path, net)
    ours = our_logits(v1_variant(depth), path, pixels(size), classes=CLASSES)
    theirs = peers.torch_logits(net, pixels(size), *IMAGENET)
    agree(record_property, ours, theirs)


@pytest.mark.parametrize(
    "depth, size",
    [
        (18, 97),
        (34, 64),
        (50, 224),
        *(pytest.param(n, 97, marks=large) for n in (101, 152)),
        *(pytest.param(n, 224, marks=large) for n in (18, 34, 101, 152)),
    ],
)
def test_timms_resnetv2_weights_give_its_logits(
    depth, size, tmp_path, record_property
):
    """Scales of BN are of both signs: pooling before it or after it differs."""
    net, path = timm_net(f"resnetv2_{depth}"), tmp_path / "net.safetensors"
    torch_file(path, net)
    ours = our_logits(
        f"resnet{depth}_v2_timm", path, pixels(size), classes=CLASSES
    )
    agree(record_property, ours, peers.torch_logits(net, pixels(size), *HALF))


def keras_applications_net(depth, size):
    make = getattr(keras.applications, f"ResNet{depth}")
    net = make(
        weights=None,
        classes=CLASSES,
        classifier_activation=None,
        input_shape=(size, size, 3),
    )
    return peers.fill_keras(net)


def save_as_published(net, path):
    """The format of the files that keras.applications downloads."""
    legacy = pytest.importorskip("keras.src.legacy.saving.legacy_h5_format")
    with h5py.File(path, "w") as file:
        legacy.save_weights_to_hdf5_group(file, net)


@pytest.mark.parametrize(
    "depth, size, name",
    [
        (50, 97, "published.h5"),
        (50, 64, "net.weights.h5"),
        pytest.param(101, 64, "whole_model.h5", marks=large),
        pytest.param(152, 97, "published.h5", marks=large),
        *(
            pytest.param(n, 224, "published.h5", marks=large)
            for n in (50, 101, 152)
        ),
    ],
)
def test_keras_applications_weights_give_its_logits(
    depth, size, name, tmp_path, record_property
):
    net, path = keras_applications_net(depth, size), tmp_path / name
    save = {
        "published.h5": save_as_published,
        "net.weights.h5": keras.Model.save_weights,
        "whole_model.h5": keras.Model.save,
    }[name]
    save(net, path)
    ours = our_logits(f"resnet{depth}", path, pixels(size), classes=CLASSES)
    images = keras.applications.resnet.preprocess_input(
        pixels(size).astype("float32")
    )
    agree(record_property, ours, np.asarray(net(images)))


def test_keras_applications_v2_is_refused_by_name(tmp_path):
    net = keras.applications.ResNet50V2(weights=None, include_top=False)
    net.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(UsageError, match="not the.*2016.*resnet50_v2_timm"):
        keras_resnet.build("resnet50_v2", weights=tmp_path / "net.weights.h5")


def keras_hub_net(depth, v2):
    models = peers.keras_hub_models()
    row = specs.VARIANTS[f"resnet{depth}"]
    backbone = models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=list(row.filters),
        stackwise_num_blocks=list(row.depths),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block" if depth < 50 else "bottleneck_block",
        use_pre_activation=v2,
        image_shape=(None, None, 3),
    )
    net = models.ResNetImageClassifier(backbone, num_classes=CLASSES)
    return peers.fill_keras(net)


@pytest.mark.parametrize(
    "depth, v2, size",
    [
        (18, False, 97),
        (18, True, 97),
        (50, True, 64),
        *(
            pytest.param(depth, v2, size, marks=large)
            for depth in (18, 34, 50, 101, 152)
            for v2 in (False, True)
            for size in (97, 224)
            if (depth, size) != (18, 97)
        ),
    ],
)
def test_keras_hubs_files_give_its_logits(
    depth, v2, size, tmp_path, record_property
):
    net = keras_hub_net(depth, v2)
    path = tmp_path
    if (depth, v2) == (18, True):
        path = tmp_path / "net.weights.h5"
        net.save_weights(path)
    else:
        net.save_to_preset(str(path))
    variant = f"resnet{depth}_v2_timm" if v2 else v1_variant(depth)
    ours = our_logits(variant, path, pixels(size), classes=CLASSES)
    mean, std = map(np.asarray, HALF if v2 else IMAGENET)
    images = ((pixels(size) - mean) / std).astype("float32")
    agree(record_property, ours, np.asarray(net(images)))


# Back to PyTorch.


def random_model(variant, **kwargs):
    kwargs = {"input_shape": (64, 64, 3), "classes": CLASSES, **kwargs}
    model = keras_resnet.build(variant, classifier_activation=None, **kwargs)
    stats = {w.path: np.asarray(w) for w in model.get_layer("pixels").weights}
    peers.fill_keras(model)
    for weight in model.get_layer("pixels").weights:
        weight.assign(stats[weight.path])
    return model


@pytest.mark.parametrize(
    "variant, layout, constants",
    [
        ("resnet18", "torchvision", IMAGENET),
        ("resnet50_v1_5", "torchvision", IMAGENET),
        ("resnet18_v2_timm", "timm_resnetv2", HALF),
    ],
)
def test_pytorch_loads_what_is_written_and_the_round_trip_is_exact(
    variant, layout, constants, tmp_path, record_property
):
    load_file = pytest.importorskip("safetensors.torch").load_file
    model, path = random_model(variant), tmp_path / "net.safetensors"
    keras_resnet.save_weights(model, path, layout=layout)
    if layout == "torchvision":
        make = getattr(peers.torchvision_models(), variant.split("_")[0])
        net = make(num_classes=CLASSES)
    else:
        net = timm_net("resnetv2_18")
    net.load_state_dict(load_file(path), strict=True)
    theirs = peers.torch_logits(net.eval(), pixels(64), *constants)
    agree(record_property, np.asarray(model(pixels(64))), theirs)
    back = keras_resnet.build(
        variant, weights=path, classes=CLASSES, input_shape=(64, 64, 3)
    )
    assert_equal_weights(back, model)


def assert_equal_weights(model, twin):
    ours = {w.path: np.asarray(w) for w in model.weights}
    theirs = {w.path: np.asarray(w) for w in twin.weights}
    assert ours.keys() == theirs.keys()
    for path in ours:
        np.testing.assert_array_equal(ours[path], theirs[path], path)


# Small networks of ours in other layouts: what is refused, and what it says.

SMALL = {"depths": (1, 1, 1, 1), "filters": (4, 8, 16, 32), "classes": 5}
SMALL["input_shape"] = (32, 32, 3)


def small_model(variant="resnet50_v1_5", **kwargs):
    return random_model(variant, **{**SMALL, **kwargs})


@pytest.fixture(name="small_file")
def _small_file(tmp_path):
    path = tmp_path / "small.safetensors"
    keras_resnet.save_weights(small_model(), path)
    return path


def rewrite(path, change):
    tensors = safetensors.numpy.load_file(path)
    change(tensors)
    safetensors.numpy.save_file(tensors, path)


def assert_refused(path, message, model=None, **kwargs):
    """Refused with that message, and the model is as it was."""
    model = small_model() if model is None else model
    before = [np.asarray(w).copy() for w in model.weights]
    with pytest.raises(UsageError, match=message) as caught:
        keras_resnet.load_weights(model, path, **kwargs)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    return str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.pop("bn1.weight"), "- bn1.weight is not in the file"),
        (
            lambda t: t.update({"bn9.weight": np.ones(3, "float32")}),
            r"\+ bn9.weight \(3,\) is not in the model",
        ),
        (
            lambda t: t.update({"bn1.gamma": t.pop("bn1.weight")}),
            r"(?s)2 differences.*- bn1.weight.*\+ bn1.gamma",
        ),
        (
            lambda t: t.update({"conv1.weight": t["conv1.weight"][:, :1]}),
            r"! conv1.weight has the shape \(7, 7, 1, 64\) where .*7, 3, 64",
        ),
        (
            lambda t: t["bn1.running_mean"].fill(np.nan),
            "moving_mean holds values that are not finite",
        ),
        (
            lambda t: t.update({"bn1.bias": np.full(64, 1e300)}),
            "beta holds values that are not finite",
        ),
        (
            lambda t: t["bn1.running_var"].fill(-1),
            "moving_variance holds a negative",
        ),
        (
            lambda t: t.update({"bn1.bias": np.ones(64, "int32")}),
            "beta is of type int32",
        ),
        (
            lambda t: (t.clear(), t.update(x=np.ones(1, "float32"))),
            "no known layout.*torchvision.*Received: x",
        ),
    ],
)
def test_a_file_with_a_wrong_tensor_is_refused(change, message, small_file):
    def apply(tensors):
        for name in tensors:
            tensors[name] = tensors[name].copy()
        change(tensors)
        for name in tensors:
            tensors[name] = np.ascontiguousarray(tensors[name])

    rewrite(small_file, apply)
    assert_refused(small_file, message)


def test_two_swapped_tensors_are_seen_in_the_logits(small_file):
    """Equal shapes pass every check but the digest's; the proof sees them."""
    model = small_model()
    keras_resnet.load_weights(model, small_file)
    right = np.asarray(model(pixels(32)))
    digest = hashlib.sha256(small_file.read_bytes()).hexdigest()

    def swap(tensors):
        a, b = "layer1.0.bn1.weight", "layer1.0.bn2.weight"
        tensors[a], tensors[b] = tensors[b], tensors[a]

    rewrite(small_file, swap)
    keras_resnet.load_weights(model, small_file)
    wrong = np.asarray(model(pixels(32)))
    assert np.abs(right - wrong).max() > 100 * TOLERANCE * right.std()
    assert_refused(small_file, "its sha256 is", model, sha256=digest)


@pytest.mark.parametrize("name", ["a.safetensors", "a.weights.h5", "a.keras"])
def test_a_truncated_file_is_refused(name, tmp_path):
    path, model = tmp_path / name, small_model()
    if name.endswith(".safetensors"):
        keras_resnet.save_weights(model, path)
    else:
        (model.save if name == "a.keras" else model.save_weights)(path)
    content = path.read_bytes()
    keras_resnet.load_weights(model, path)
    for size in (len(content) // 2, len(content) - 1, 100, 9, 4, 0):
        path.write_bytes(content[:size])
        if name == "a.weights.h5" and size == len(content) - 1:
            continue  # padding of the last block, if any
        assert_refused(path, "a[.].*(damaged|none of HDF5)", model)


@pytest.mark.parametrize(
    "built, layout, wanted, message",
    [
        ("resnet50_v1_5", "torchvision", "resnet50", "bottleneck_v1_5 .*conv"),
        ("resnet50_v1_5", "torchvision", "resnet50_v2", "placement original"),
        ("resnet50_v1_5", "torchvision", "resnet18", "block bottleneck_v1_5"),
        ("resnet18", "torchvision", "resnet50_v1_5", "block basic"),
        ("resnet18", "torchvision", "plainnet18", "shortcut B, not none"),
        ("resnet50_v2_timm", "timm_resnetv2", "resnet50_v2", "stem .*pool"),
        ("resnet50_v2_timm", "timm_resnetv2", "resnet50", "full_preact"),
    ],
)
def test_weights_of_another_network_are_refused(
    built, layout, wanted, message, tmp_path
):
    path = tmp_path / "a.safetensors"
    keras_resnet.save_weights(small_model(built), path, layout=layout)
    assert_refused(path, message, small_model(wanted))


def test_the_right_variant_is_named(tmp_path):
    """Strides leave no trace in the tensors, only in who wrote them."""
    path, sizes = tmp_path / "a.safetensors", {**SMALL, "depths": (3, 4, 6, 3)}
    model = keras_resnet.build("resnet50_v1_5", **sizes)
    keras_resnet.save_weights(model, path)
    papers = keras_resnet.build("resnet50", **sizes)
    assert_refused(path, r"build\('resnet50_v1_5'\)", papers)
    with pytest.raises(UsageError, match=r"build\('resnet50_v1_5'\)"):
        keras_resnet.save_weights(papers, path)
    for saved, loaded in ((model, papers), (papers, model)):
        for file in ("a.weights.h5", "a.keras"):
            file = tmp_path / file
            (saved.save if file.suffix == ".keras" else saved.save_weights)(
                file
            )
            assert_refused(file, rf"build\('{saved.name}'\)", loaded)


def test_keras_applications_weights_are_not_for_v1_5():
    layout = layouts.LAYOUTS["keras_applications"]
    depths = specs.VARIANTS["resnet101"].depths
    names = [
        f"conv{stage + 2}_block{unit + 1}_3_conv/kernel"
        for stage, depth in enumerate(depths)
        for unit in range(depth)
    ]
    found = identity.of_names(layout, names)
    assert found == identity.of_variant("resnet101")
    assert found != identity.of_variant("resnet101_v1_5")
    model = small_model()
    with pytest.raises(UsageError, match=r"build\('resnet101'\).*v1_5"):
        identity.require_same(model, identity.of_model(model), found, "x")


# The classifier.


def test_another_number_of_classes_keeps_the_body_when_asked(
    small_file, caplog
):
    assert_refused(
        small_file, "(?s)fc.weight.*new_head", small_model(classes=7)
    )
    model = keras_resnet.build(
        "resnet50_v1_5", weights=small_file, **{**SMALL, "classes": 7}
    )
    assert "classifier keeps its present weights" in caplog.text
    stem = {w.path: np.asarray(w) for w in small_model().weights}
    for weight in model.weights:
        if not weight.path.startswith("logits"):
            np.testing.assert_array_equal(weight, stem[weight.path])
    assert model.output_shape == (None, 7)


def test_new_head_loads_a_head_that_fits(small_file):
    model = keras_resnet.build("resnet50_v1_5", **SMALL)
    keras_resnet.load_weights(model, small_file, new_head=True)
    assert_equal_weights(model, small_model())


@pytest.mark.parametrize("name", ["fc.bias", "fc.weight"])
def test_half_a_head_is_refused(name, small_file):
    rewrite(small_file, lambda tensors: tensors.pop(name))
    assert_refused(small_file, f"- {name}")
    assert_refused(small_file, f"- {name}", new_head=True)


def test_without_the_top_the_files_classifier_is_left_out(small_file):
    body = small_model(include_top=False)
    for weight in body.weights[2:]:
        weight.assign(weight + 1)
    keras_resnet.load_weights(body, small_file)
    ours = {w.path: np.asarray(w) for w in small_model().weights}
    for weight in body.weights:
        np.testing.assert_array_equal(weight, ours[weight.path])


def test_pixel_constants_travel_in_the_metadata(tmp_path):
    constants = {"pixel_mean": (1.5, 2.25, 3.1), "pixel_std": (4.0, 5.0, 6.7)}
    model, path = small_model(**constants), tmp_path / "a.safetensors"
    keras_resnet.save_weights(model, path)
    twin = keras_resnet.build("resnet50_v1_5", weights=path, **SMALL)
    assert_equal_weights(twin, model)


@pytest.mark.parametrize(
    "text, message",
    [
        ("1 2 x", "must be numbers.*1 2 x"),
        ("1 2", r"shape \(2,\)"),
        ("1 2 nan", "not finite"),
        ("1 2 0", "must be > 0"),
    ],
)
def test_pixel_constants_that_cannot_work_are_refused(
    text, message, small_file
):
    tensors = safetensors.numpy.load_file(small_file)
    safetensors.numpy.save_file(tensors, small_file, {"pixel_std": text})
    assert_refused(small_file, message)


# Files.


def test_our_own_names_serve_every_network(tmp_path):
    path = tmp_path / "a.safetensors"
    model = keras_resnet.build("resnet20", depths=(1, 1, 1), shortcut="C")
    peers_model = keras_resnet.build("resnet20", depths=(1, 1, 1), shortcut="C")
    keras_resnet.save_weights(model, path, layout="keras_resnet")
    keras_resnet.load_weights(peers_model, path)
    assert_equal_weights(model, peers_model)
    with pytest.raises(UsageError, match="stem.*resnet20"):
        keras_resnet.save_weights(model, path)


def test_dataparallel_names_and_wrapped_state_dicts_are_read(tmp_path):
    torch = peers.torch_module()
    path = tmp_path / "a.safetensors"
    model = small_model()
    keras_resnet.save_weights(model, path)
    state = {
        f"module.{k}": torch.from_numpy(v.copy())
        for k, v in safetensors.numpy.load_file(path).items()
    }
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "a.pth")
    twin = keras_resnet.build("resnet50_v1_5", **SMALL)
    keras_resnet.load_weights(twin, tmp_path / "a.pth")
    assert_equal_weights(twin, model)


def test_a_safetensors_file_that_begins_like_a_pickle_is_read(small_file):
    """Its first byte is the lowest of the header's length."""
    content = small_file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    spaces = (0x80 - length) % 256
    small_file.write_bytes(
        (length + spaces).to_bytes(8, "little")
        + content[8 : 8 + length]
        + b" " * spaces
        + content[8 + length :]
    )
    assert small_file.read_bytes().startswith(b"\x80")
    keras_resnet.load_weights(small_model(), small_file)


def test_half_precision_that_numpy_lacks_is_refused(tmp_path):
    torch, path = peers.torch_module(), tmp_path / "a.safetensors"
    save = pytest.importorskip("safetensors.torch").save_file
    save({"conv1.weight": torch.ones(2, dtype=torch.bfloat16)}, path)
    assert_refused(path, "BF16.*float32")


class Hostile:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return pathlib.Path.touch, (self.mark,)


def test_a_hostile_pickle_never_runs(tmp_path):
    torch = peers.torch_module()
    mark, path = tmp_path / "mark", tmp_path / "net.pth"
    state = {"layer1.0.conv1.weight": Hostile(mark)}
    pickle.loads(pickle.dumps(state))
    assert mark.exists(), "the control: it does run where pickles may"
    mark.unlink()
    writers = [
        lambda: torch.save(state, path),
        lambda: torch.save(state, path, _use_new_zipfile_serialization=False),
        lambda: path.write_bytes(pickle.dumps(state)),
    ]
    for write in writers:
        write()
        assert_refused(path, "holds more than tensors")
        assert not mark.exists()


@pytest.fixture(scope="module", name="loaded")
def _loaded(tmp_path_factory):
    """What became of each hostile file, in a process with little memory."""
    peers.torch_module()
    folder = tmp_path_factory.mktemp("hostile")
    for name, (write, _) in hostile_weights.FILES.items():
        write(folder / name)
    done = subprocess.run(
        [sys.executable, hostile_weights.__file__, folder]
        + list(hostile_weights.FILES),
        stdout=subprocess.PIPE,
        text=True,
        timeout=240,
    )
    lines = map(json.loads, done.stdout.splitlines())
    return {line["file"]: line for line in lines}


@large
@pytest.mark.parametrize("name", hostile_weights.FILES)
def test_names_sizes_and_counts_come_before_bytes(
    name, loaded, record_property
):
    found = loaded[name]
    record_property("taken", str(found))
    assert re.match(
        f"UsageError: .*(?:{hostile_weights.FILES[name][1]})", found["said"]
    ), found
    # Of the file itself, and of nothing that it claims.
    assert found["megabytes"] < 200


def prefixed(path, prefix, **others):
    """The names of a file with a prefix before each; and other tensors."""
    tensors = safetensors.numpy.load_file(path)
    tensors = {f"{prefix}{name}": value for name, value in tensors.items()}
    safetensors.numpy.save_file({**tensors, **others}, path)


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "backbone.",
        "model.",
        "_orig_mod.",
        "encoder_q.",
        "module._orig_mod.",
        "student/backbone.",
    ],
)
def test_a_prefix_of_all_names_is_taken_off(prefix, small_file, caplog):
    right = keras_resnet.build("resnet50_v1_5", weights=small_file, **SMALL)
    assert "read without" not in caplog.text
    prefixed(small_file, prefix)
    model = keras_resnet.build("resnet50_v1_5", weights=small_file, **SMALL)
    assert_equal_weights(model, right)
    assert f"names of the file were read without {prefix!r}" in caplog.text


def test_our_own_names_may_have_a_prefix_too(tmp_path):
    path, model = tmp_path / "a.safetensors", small_model()
    keras_resnet.save_weights(model, path, layout="keras_resnet")
    prefixed(path, "network/")
    twin = keras_resnet.build("resnet50_v1_5", weights=path, **SMALL)
    assert_equal_weights(twin, model)


def test_a_prefix_that_some_names_lack_is_refused_with_the_remedy(small_file):
    one = np.ones(1, "float32")
    prefixed(small_file, "encoder_q.", queue=one)
    message = assert_refused(small_file, "begin with encoder_q., others do not")
    # The remedy, as it stands there.
    remedy = message[message.index("{k.remove") : message.rindex("}") + 1]
    names = {"state_dict": safetensors.numpy.load_file(small_file)}
    safetensors.numpy.save_file(eval(remedy, names), small_file)
    keras_resnet.load_weights(small_model(), small_file)


def test_of_two_networks_in_a_file_none_is_taken(small_file):
    twin = safetensors.numpy.load_file(small_file)
    twin = {f"encoder_k.{name}": value for name, value in twin.items()}
    prefixed(small_file, "encoder_q.", **twin)
    assert_refused(small_file, "begin with encoder_k. or encoder_q., others")


def test_a_prefix_does_not_make_another_network_fit(small_file):
    prefixed(small_file, "backbone.")
    assert_refused(small_file, "bottleneck_v1_5", small_model("resnet18"))
    rewrite(small_file, lambda t: t.pop("backbone.bn1.weight"))
    assert_refused(small_file, "(?s)read without 'backbone.'.*- bn1.weight is")


def test_a_bias_of_another_shape_is_refused(tmp_path):
    """It was left out in silence."""
    net, path = keras_applications_net(50, 64), tmp_path / "net.h5"
    save_as_published(net, path)
    with h5py.File(path, "a") as file:
        place = "conv1_conv/conv1_conv/bias"
        [place] = [p for p in (place, f"{place}:0") if p in file]
        del file[place]
        file[place] = np.ones(3, "float32")
    with pytest.raises(UsageError, match=r"! conv1_conv/bias has the shape"):
        keras_resnet.build("resnet50", weights=path, classes=CLASSES)


def test_without_pytorch_a_pickle_is_refused_with_the_conversion(
    tmp_path, monkeypatch
):
    path = tmp_path / "net.pth"
    path.write_bytes(pickle.dumps({}))
    monkeypatch.setitem(sys.modules, "torch", None)
    message = assert_refused(path, "not installed")
    assert "weights_only=True" in message and "save_file" in message
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    assert_refused(path, "not installed")


def test_of_a_keras_file_only_the_weights_are_read(tmp_path):
    model, path = small_model(), tmp_path / "a.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "not JSON: never read")
        archive.writestr("model.weights.h5", weights)
    twin = keras_resnet.build("resnet50_v1_5", weights=path, **SMALL)
    assert_equal_weights(twin, model)


def _rename(file):
    file["layers/dense/vars"].attrs["name"] = "head"


def _link(file):
    del file["layers/dense/vars/1"]
    file["layers/dense/vars/1"] = h5py.SoftLink("/layers/dense/vars/0")


def _external(file):
    del file["layers/dense/vars/1"]
    file["layers/dense/vars/1"] = h5py.ExternalLink("other.h5", "/x")


def _storage(file):
    del file["layers/dense/vars/1"]
    file["layers/dense/vars"].create_dataset(
        "1", (5,), "f4", external=[("/dev/zero", 0, 20)]
    )


def _bomb(file):
    del file["layers/dense/vars/1"]
    file["layers/dense/vars"].create_dataset("1", (2**40,), "f4", chunks=(9,))


def _circle(file):
    file["layers/dense/again"] = file["layers"]


def _more(file):
    file["layers/dense/vars/2"] = np.ones(3, "float32")


@pytest.mark.parametrize(
    "change, message",
    [
        (_rename, r"(?s)- logits/kernel.*\+ head/kernel"),
        (_link, "is a link"),
        (_external, "is a link"),
        (_storage, "not a plain dataset"),
        (_bomb, "unpacks to .* bytes, and holds"),
        (_circle, "circles"),
        (_more, r"\+ logits/2"),
    ],
)
def test_hdf5_that_is_not_what_keras_writes_is_refused(
    change, message, tmp_path
):
    path, model = tmp_path / "a.weights.h5", small_model()
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        change(file)
    assert_refused(path, message, model)


@pytest.mark.parametrize(
    "content",
    [b"", b"TFL3", b"\x1c\x00\x00\x00TFL3" * 9, b"PK\x03\x04" * 9, b"x" * 99],
)
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "a.weights.h5").write_bytes(content)
    assert_refused(tmp_path / "a.weights.h5", "damaged|none of")
    assert_refused(tmp_path, "no weights file")
    assert_refused(tmp_path / "b.weights.h5", "There is no weights file")


def test_models_of_others_are_refused(small_file):
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    assert_refused(small_file, "keras_resnet.build", other)


@pytest.mark.parametrize(
    "path, layout, message",
    [
        ("a.pth", "torchvision", "must end in .safetensors"),
        ("a.safetensors", "keras_hub", "Unknown layout"),
        ("a.safetensors", "torchvison", "mean 'torchvision'"),
        ("a.safetensors", "timm_resnetv2", "placement full_preact"),
    ],
)
def test_what_cannot_be_written_is_refused(path, layout, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        keras_resnet.save_weights(small_model(), tmp_path / path, layout=layout)
    assert not list(tmp_path.iterdir())
