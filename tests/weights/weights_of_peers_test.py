"""Other libraries' weights give their logits here, and ours give ours there.

A peer's own code makes and runs a network in which every tensor is random. Our
code reads the peer's file and must give its logits on the same pixels.
"""

import h5py
import keras
import numpy as np
import peers
import pytest
import small_peers
from small_weights import assert_equal_weights
from small_weights import pixels
from small_weights import small_model

import keras_resnet
from keras_resnet.networks import specs

IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
HALF = ((127.5,) * 3, (127.5,) * 3)
CLASSES = 20
TOLERANCE = 1e-4  # of the logits' standard deviation
# Every stem has 64 channels. One stage has a unit at each end.
SMALL = {"depths": (1, 2, 1, 1), "filters": (64, 16, 32, 48)}
# For networks whose stages stride in their last unit.
TWO_A_STAGE = {**SMALL, "depths": (2, 2, 2, 2)}


def assert_agree(ours, theirs):
    ours = np.asarray(ours)
    assert ours.shape == theirs.shape
    assert theirs.std() > 0.1, "logits that do not depend on the pixels"
    spread = (theirs - theirs.mean(0, keepdims=True)).std()
    assert spread > 1e-3 * theirs.std(), "logits that the pixels do not move"
    assert np.abs(ours - theirs).max() < TOLERANCE * theirs.std()


# Each peer: (depth, path, images, sizes) -> (our variant, its logits). It also
# writes its file. If `sizes` is {}, it has the units and channels it is known
# for.


def _write_torch(path, net):
    if path.suffix == ".pth":
        peers.torch_module().save(net.state_dict(), path)
    else:
        files = pytest.importorskip("safetensors.torch")
        files.save_file(net.state_dict(), path)


def _v1(depth):
    return f"resnet{depth}" if depth < 50 else f"resnet{depth}_v1_5"


def torchvision(depth, path, images, sizes):
    net = small_peers.torchvision(f"resnet{depth}", CLASSES, sizes)
    _write_torch(path, net)
    return _v1(depth), peers.torch_logits(net, images, *IMAGENET)


def _timm(name, sizes):
    make = peers.timm_module().create_model
    choices = {}
    if sizes:
        # v2 takes the channels that leave a stage: four times those of its
        # bottlenecks.
        times = 4 if name == "resnetv2_50" else 1
        channels = [times * filters for filters in sizes["filters"]]
        choices = {"layers": sizes["depths"], "channels": channels}
    return peers.fill_torch(make(name, num_classes=CLASSES, **choices))


def timm(depth, path, images, sizes):
    net = _timm(f"resnet{depth}", sizes)
    _write_torch(path, net)
    return _v1(depth), peers.torch_logits(net, images, *IMAGENET)


def torchvision_variant(name, path, images, sizes):
    """Variants of the same name there and here."""
    net = small_peers.torchvision(name, CLASSES, sizes)
    _write_torch(path, net)
    return name, peers.torch_logits(net, images, *IMAGENET)


def timm_d(depth, path, images, sizes):
    net = _timm(f"resnet{depth}d", sizes)
    _write_torch(path, net)
    return f"resnet{depth}_d", peers.torch_logits(net, images, *IMAGENET)


def timm_v2(depth, path, images, sizes):
    """BN scales have both signs: pooling before and after BN differs."""
    net = _timm(f"resnetv2_{depth}", sizes)
    _write_torch(path, net)
    return f"resnet{depth}_v2_timm", peers.torch_logits(net, images, *HALF)


def save_as_published(net, path):
    """The format of the files that keras.applications downloads."""
    legacy = pytest.importorskip("keras.src.legacy.saving.legacy_h5_format")
    with h5py.File(path, "w") as file:
        legacy.save_weights_to_hdf5_group(file, net)


def _keras_applications(name, size, sizes=SMALL):
    rows = pytest.importorskip("keras.src.applications.resnet")
    make = getattr(keras.applications, f"ResNet{name}")
    with pytest.MonkeyPatch.context() as patch:
        for stage in ("stack_residual_blocks_v1", "stack_residual_blocks_v2"):
            if sizes:
                made = small_peers.smaller(getattr(rows, stage), sizes)
                patch.setattr(rows, stage, made)
        net = make(
            weights=None,
            classes=CLASSES,
            classifier_activation=None,
            input_shape=(size, size, 3),
        )
    return peers.fill_keras(net)


def keras_applications(depth, path, images, sizes):
    net = _keras_applications(depth, images.shape[1], sizes)
    save = {
        "published.h5": save_as_published,
        "net.weights.h5": keras.Model.save_weights,
        "whole_model.h5": keras.Model.save,
    }[path.name]
    save(net, path)
    x = keras.applications.resnet.preprocess_input(images.astype("float32"))
    return f"resnet{depth}", np.asarray(net(x))


def keras_applications_v2(depth, path, images, sizes):
    net = _keras_applications(f"{depth}V2", images.shape[1], sizes)
    save_as_published(net, path)
    x = keras.applications.resnet_v2.preprocess_input(images.astype("float32"))
    return f"resnet{depth}_v2_keras", np.asarray(net(x))


def keras_hub(depth, path, images, sizes, v2=False, d=False):
    models = peers.keras_hub_models()
    row = specs.VARIANTS[f"resnet{depth}"]
    backbone = models.ResNetBackbone(
        input_conv_filters=[32, 32, 64] if d else [64],
        input_conv_kernel_sizes=[3, 3, 3] if d else [7],
        stackwise_num_filters=list(sizes.get("filters", row.filters)),
        stackwise_num_blocks=list(sizes.get("depths", row.depths)),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type=("basic_block" if depth < 50 else "bottleneck_block")
        + ("_vd" if d else ""),
        use_pre_activation=v2,
        image_shape=(None, None, 3),
    )
    net = models.ResNetImageClassifier(backbone, num_classes=CLASSES)
    peers.fill_keras(net)
    if path.suffix == ".h5":
        net.save_weights(path)
    else:
        net.save_to_preset(str(path))
    mean, std = map(np.asarray, HALF if v2 else IMAGENET)
    logits = np.asarray(net(((images - mean) / std).astype("float32")))
    if d:
        return f"resnet{depth}_d", logits
    return f"resnet{depth}_v2_timm" if v2 else _v1(depth), logits


def keras_hub_v2(depth, path, images, sizes):
    return keras_hub(depth, path, images, sizes, v2=True)


def keras_hub_d(depth, path, images, sizes):
    return keras_hub(depth, path, images, sizes, d=True)


QUICK = [
    (torchvision, 18, "net.pth", 97),
    (torchvision, 50, "net.safetensors", 97),
    (timm, 18, "net.safetensors", 128),
    (timm_v2, 18, "net.safetensors", 97),
    (timm_v2, 50, "net.safetensors", 64),
    (keras_applications, 50, "published.h5", 97),
    (keras_applications, 50, "net.weights.h5", 64),
    (keras_hub, 18, "preset", 97),
    (keras_hub_v2, 18, "net.weights.h5", 97),
    (keras_hub_v2, 50, "preset", 64),
    # At an odd size, a mean at an edge is taken over fewer pixels.
    (timm_d, 18, "net.safetensors", 75),
    (keras_hub_d, 50, "preset", 75),
    (keras_applications_v2, 50, "published.h5", 75),
    (torchvision_variant, "resnext50_32x4d", "net.safetensors", 64),
]
LARGE = [
    (torchvision, 50, "net.safetensors", 97),
    (timm_v2, 50, "net.safetensors", 64),
    (keras_applications, 50, "published.h5", 97),
    (keras_applications_v2, 50, "published.h5", 75),
    (keras_hub_v2, 50, "preset", 64),
    (keras_hub_d, 50, "preset", 75),
    (keras_applications, 101, "whole_model.h5", 64),
    (keras_applications, 152, "published.h5", 224),
    *((torchvision, n, "net.safetensors", 224) for n in (34, 101, 152)),
    *((timm, n, "net.safetensors", 97) for n in (34, 50, 101, 152)),
    *((timm_v2, n, "net.safetensors", 224) for n in (34, 101, 152)),
    *((keras_hub, n, "preset", 224) for n in (34, 50, 101, 152)),
    *((keras_hub_v2, n, "preset", 224) for n in (34, 101, 152)),
    *((timm_d, n, "net.safetensors", 224) for n in (34, 50, 101, 152, 200)),
    *((keras_hub_d, n, "preset", 224) for n in (101, 152, 200)),
    *((keras_applications_v2, n, "published.h5", 224) for n in (101, 152)),
    *(
        (torchvision_variant, name, "net.safetensors", 97)
        for name in (
            "wide_resnet50_2",
            "wide_resnet101_2",
            "resnext101_32x8d",
            "resnext101_64x4d",
        )
    ),
]


@pytest.mark.parametrize(
    "peer, depth, name, size, sizes",
    [
        *(
            (*row, TWO_A_STAGE if row[0] == keras_applications_v2 else SMALL)
            for row in QUICK
        ),
        *(pytest.param(*row, {}, marks=pytest.mark.large) for row in LARGE),
    ],
)
def test_a_peers_weights_give_its_logits(
    peer, depth, name, size, sizes, tmp_path
):
    variant, theirs = peer(depth, tmp_path / name, pixels(size), sizes)
    model = keras_resnet.build(
        variant,
        weights=tmp_path / name,
        classes=CLASSES,
        input_shape=(None, None, 3),
        classifier_activation=None,
        **sizes,
    )
    assert_agree(model(pixels(size)), theirs)


@pytest.mark.parametrize(
    "variant, layout, constants",
    [
        ("resnet18", "torchvision", IMAGENET),
        ("resnet18_v2_timm", "timm_resnetv2", HALF),
        ("resnet18_d", "timm_resnet_d", IMAGENET),
    ],
)
def test_pytorch_loads_what_is_written_and_the_round_trip_is_exact(
    variant, layout, constants, tmp_path
):
    files = pytest.importorskip("safetensors.torch")
    sizes = {**SMALL, "classes": CLASSES, "input_shape": (32, 32, 3)}
    model, path = small_model(variant, sizes), tmp_path / "net.safetensors"
    keras_resnet.save_weights(model, path, layout=layout)
    if layout == "torchvision":
        net = small_peers.torchvision(variant, CLASSES, SMALL)
    else:
        name = "resnet18d" if variant.endswith("d") else "resnetv2_18"
        net = _timm(name, SMALL)
    net.load_state_dict(files.load_file(path), strict=True)
    theirs = peers.torch_logits(net.eval(), pixels(32), *constants)
    assert_agree(model(pixels(32)), theirs)
    back = keras_resnet.build(variant, weights=path, **sizes)
    assert_equal_weights(back, model)


def test_a_bias_of_another_shape_is_refused(tmp_path):
    """The bias goes into a BN, so that it has no variable of its own."""
    path = tmp_path / "net.h5"
    save_as_published(_keras_applications(50, 64), path)
    with h5py.File(path, "a") as file:
        place = "conv1_conv/conv1_conv/bias"
        [place] = [p for p in (place, f"{place}:0") if p in file]
        del file[place]
        file[place] = np.ones(3, "float32")
    with pytest.raises(
        keras_resnet.UsageError, match=r"! conv1_conv/bias has the shape"
    ):
        keras_resnet.build("resnet50", weights=path, classes=CLASSES, **SMALL)
