"""The error of every layer of int8 files, and which layer is blamed.

Layers are damaged in two ways. In a good file, weights get a wrong scale. In
the network, before quantisation, large weights that nothing depends on leave
the others no bits. A good file is not accused.
"""

import functools
import shutil

import exported_networks
import numpy as np
import onnx
import pytest
import tflite_files
from exported_networks import card_of
from exported_networks import network

from keras_resnet.errors import UsageError
from keras_resnet.export.writers import serving
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import layer_errors
from keras_resnet.inference.layer_errors import LayerError
from keras_resnet.inference.layer_errors import onnx_layer_errors
from keras_resnet.inference.layer_errors import tflite_layer_errors

# It has what pre-activation leaves unfused, pools and projections.
PREACT = {
    "variant": "resnet50_v2",
    "depths": (1, 1),
    "filters": (8, 16),
    "input_shape": (32, 32, 3),
}

FILES = ("dynamic_int8.tflite", "int8.tflite", "int8.onnx")

# In the order of the network's equations.
LAYERS = [
    "stem/conv1",
    "stem/pool1",
    "stage1_unit1/conv1",
    "stage1_unit1/conv2",
    "stage1_unit1/conv3",
    "stage1_unit1/shortcut_conv",
    "stage1_unit1/add",
    "stage2_unit1/conv1",
    "stage2_unit1/conv2",
    "stage2_unit1/conv3",
    "stage2_unit1/shortcut_conv",
    "stage2_unit1/add",
    "pool",
    "logits",
]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return _written(network(**PREACT), tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def outliers(tmp_path_factory):
    """Files of a network in which one convolution cannot be quantised.

    It reads a channel that is never active, so its weights for that channel may
    have any value: they are 600 times the others.
    """
    model = network(depths=(1, 1), filters=(16, 32))
    unit = model.get_layer("stage2_unit1")
    layers = {layer.name: layer for layer in unit.branch}
    layers["bn1"].beta.assign(layers["bn1"].beta.numpy() - 100 * np.eye(32)[5])
    kernel = layers["conv2"].kernel.numpy()
    kernel[:, :, 5] = 50
    layers["conv2"].kernel.assign(kernel)
    return _written(model, tmp_path_factory.mktemp("outliers"))


def _written(model, folder):
    files = [*FILES, "float32.tflite", "float32.onnx"]
    shared = serving.Network(model, card_of(model))
    exported_networks.write_precisions(shared, folder, files)
    return folder


@functools.cache
def _views(size):
    card = card_of(network(input_shape=(size, size, 3)))
    return exported_networks.views(card, 4)


def _errors(folder, file, size=32):
    suffix = file.split(".")[1]
    compare = {"onnx": onnx_layer_errors, "tflite": tflite_layer_errors}
    whole = folder / f"float32.{suffix}"
    return compare[suffix](whole, folder / file, _views(size))


@pytest.mark.parametrize("file", FILES)
def test_a_good_file_has_the_network_s_layers_and_is_not_accused(good, file):
    errors = _errors(good, file)
    assert layer_errors.first_wrong(errors) is None
    # There is noise, so this does not compare the same numbers twice.
    assert 0.001 < errors[-1].relative_error < layer_errors.BOUND
    assert "No layer goes wrong by itself" in layer_errors.table(errors)
    names = [error.name for error in errors]
    assert len(set(names)) == len(names)
    # A folded BN and one that is not folded are different layers.
    found = [name for name in names if name in LAYERS]
    assert sorted(found) == sorted(LAYERS)
    # Two layers that read the same input may come in either order.
    shortcuts = [name for name in LAYERS if "shortcut" in name]
    assert [name for name in found if name not in shortcuts] == [
        name for name in LAYERS if name not in shortcuts
    ]
    assert all(
        name.rsplit("/")[-1].rstrip("1") in ("bn", "affine")
        for name in set(names) - set(LAYERS)
    )


@pytest.mark.parametrize("file", FILES)
def test_weights_beside_far_larger_ones_are_found(outliers, file):
    errors = _errors(outliers, file, size=16)
    wrong = layer_errors.first_wrong(errors)
    assert wrong.name == "stage2_unit1/conv2"
    assert wrong.relative_error > 0.5
    assert wrong.inherited_error < 0.05
    (line,) = [
        line
        for line in layer_errors.table(errors).splitlines()
        if "the first wrong layer" in line
    ]
    assert line.startswith("stage2_unit1/conv2 ")


def _scale_tflite(path, place, factor):
    """Multiplies the scales of the weights of one convolution."""
    model = tflite_files.unpacked(path.read_bytes())
    found = tflite_files.weights(model, "CONV_2D", place).quantization
    found.scale = found.scale * np.float32(factor)
    path.write_bytes(tflite_files.packed(model))


def _scale_onnx(path, place, factor):
    model = onnx.load(path)
    graph = model.graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    weights = convolutions[place].input[1]
    (node,) = [node for node in graph.node if weights in node.output]
    (scale,) = [t for t in graph.initializer if t.name == node.input[1]]
    values = onnx.numpy_helper.to_array(scale) * np.float32(factor)
    scale.CopyFrom(onnx.numpy_helper.from_array(values, scale.name))
    onnx.save(model, path)


@pytest.mark.parametrize("file", FILES)
# Indices of convolutions. Dynamic quantisation skips those with few weights.
@pytest.mark.parametrize("place", [0, 7])
def test_a_wrong_scale_is_found(good, tmp_path, file, place):
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    scale = _scale_onnx if file.endswith("onnx") else _scale_tflite
    path = tmp_path / file
    scale(path, place, 1.0)
    same = _errors(tmp_path, file)
    assert layer_errors.first_wrong(same) is None
    scale(path, place, 2.0)
    errors = _errors(tmp_path, file)
    convolutions = [e.name for e in same if "conv" in e.name]
    wrong = layer_errors.first_wrong(errors)
    assert wrong.name == convolutions[place]
    # The errors of the layers before it are unchanged.
    before = errors.index(wrong)
    assert errors[:before] == same[:before]


def _chain(*values):
    names = map(str, range(len(values)))
    rows = zip(names, values, (0.0, *values), strict=False)
    return [
        LayerError(
            name=name, kind="Conv", relative_error=own, inherited_error=before
        )
        for name, own, before in rows
    ]


@pytest.mark.parametrize(
    "values, first",
    [
        ((0.01, 0.02, 0.9, 0.8), "2"),
        # The last is wrong too, but inherits the error from the one before.
        ((0.01, 0.5, 0.9), "1"),
        # A jump from noise to more noise.
        ((0.001, 0.09), None),
        # Noise that adds up: no layer is to blame.
        ((0.05, 0.1, 0.2, 0.4), None),
        ((0.5,), "0"),
        ((0.01, float("nan"), 0.9), "1"),
        ((0.01, float("inf"), float("inf")), "1"),
        ((), None),
    ],
)
def test_the_first_wrong_layer_is_bad_and_its_input_is_not(values, first):
    wrong = layer_errors.first_wrong(_chain(*values))
    assert (wrong and wrong.name) == first


# Files that do not belong together or cannot be read.


def test_files_of_two_networks_are_refused(good, outliers, tmp_path):
    views = np.zeros((1, 32, 32, 3), np.uint8)
    whole, model = (
        good / "float32.tflite",
        network(**{**PREACT, "filters": (8, 8)}),
    )
    other = tmp_path / "other.tflite"
    export_tflite(model, other, card=card_of(model), precision="float32")
    for file, message in (
        (outliers / "int8.tflite", "are not of one network"),
        (other, "'stage2_unit1/.*one network"),
    ):
        with pytest.raises(UsageError, match=message):
            tflite_layer_errors(whole, file, views)
    with pytest.raises(UsageError, match="has no quantised layer that"):
        onnx_layer_errors(good / "float32.onnx", good / "float32.onnx", views)


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_no_images_and_a_damaged_file_are_refused(good, tmp_path, suffix):
    compare = {"onnx": onnx_layer_errors, "tflite": tflite_layer_errors}
    paths = tmp_path / f"float32.{suffix}", tmp_path / f"int8.{suffix}"
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    for images in ([], np.zeros((32, 32, 3)), np.zeros((0, 32, 32, 3))):
        with pytest.raises(UsageError, match="Pass evaluation views"):
            compare[suffix](*paths, images)
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match="int8.*' cannot be read layer by"):
        _errors(tmp_path, paths[1].name)
