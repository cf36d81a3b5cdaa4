"""Predictors feed files from anywhere correctly, or say what is wrong."""

import concurrent.futures
import functools
import gc
import pathlib
import tempfile
import weakref

import exported_networks
import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
import tflite_files
from exported_networks import card_of
from exported_networks import network
from onnx import TensorProto
from onnx import helper

from keras_resnet.errors import UsageError
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import tflite
from keras_resnet.export.writers import web_model
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import compiled
from keras_resnet.inference import predictors
from keras_resnet.inference import runtime


@functools.cache
def model():
    return network()


@functools.cache
def shared():
    """Folded once for all files."""
    return serving.Network(model(), card_of(model()))


@functools.cache
def views():
    return exported_networks.views(card_of(model()), 64)


def keras_answers():
    return exported_networks.answers(model(), views())


@functools.cache
def _exported(export, **choices):
    """Bytes of a file of the model."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "file"
        export(shared(), path, card=shared().card, **choices)
        return path.read_bytes()


@functools.cache
def _quantised(dtype):
    """Bytes of an 8-bit file whose input and output have a dtype."""

    def prepare(converter):
        tflite.PRECISIONS["int8"](converter, views())
        converter.inference_input_type = dtype
        converter.inference_output_type = dtype

    return tflite.convert(shared().function(batch=1), shared().folded, prepare)


def _input(file):
    (graph,) = file.subgraphs
    return graph.tensors[graph.inputs[0]]


# Quantised inputs and outputs.


@pytest.mark.parametrize("dtype", [tf.int8, tf.uint8])
def test_a_quantised_input_gets_what_its_file_says(tmp_path, dtype):
    path = tmp_path / "user.tflite"
    path.write_bytes(_quantised(dtype))
    file = tflite_files.unpacked(path.read_bytes())
    given = _input(file).quantization
    assert abs(given.scale[0] - 1) < 1e-6
    assert given.zeroPoint[0] == (-128 if dtype == tf.int8 else 0)
    raw = tflite_files.predict(path.read_bytes(), views())
    expected = keras_answers()
    answers = runtime.load_predictor(path).predict(views())
    np.testing.assert_allclose(answers, expected, rtol=0, atol=0.1)
    assert np.mean(answers.argmax(-1) == expected.argmax(-1)) > 0.9
    # A cast alone is right if pixels are their own steps. Otherwise it silently
    # gives a wrong answer.
    by_cast = np.mean(raw.argmax(-1) == expected.argmax(-1))
    assert by_cast > 0.9 if dtype == tf.uint8 else by_cast < 0.5


def test_steps_of_another_size_are_those_of_the_file(tmp_path):
    file = tflite_files.unpacked(_quantised(tf.uint8))
    # As if a step were worth two grey values, starting at step 10.
    _input(file).quantization.scale = np.array([2], np.float32)
    _input(file).quantization.zeroPoint = np.array([10], np.int64)
    path = tmp_path / "user.tflite"
    path.write_bytes(tflite_files.packed(file))
    # LiteRT takes the input's own numbers as they are.
    steps = np.round(views()[:4].astype(np.float64) / 2 + 1e-9) + 10
    raw = tflite_files.predict(path.read_bytes(), steps)
    answers = runtime.load_predictor(path).predict(views()[:4])
    np.testing.assert_array_equal(answers, raw.astype(np.float32) / 256)


# ONNX of other types.


def _with_input(path, dtype, shape=("batch", 16, 16, 3)):
    """A network of ours behind a cast from another type."""
    proto = onnx.load(path)
    name = proto.graph.input[0].name
    value = helper.make_tensor_value_info("user_images", dtype, shape)
    proto.graph.input[0].CopyFrom(value)
    cast = helper.make_node("Cast", ["user_images"], [name], to=1)
    proto.graph.node.insert(0, cast)
    onnx.save(proto, path)


@pytest.fixture
def onnx_file(tmp_path):
    path = tmp_path / "user.onnx"
    path.write_bytes(_exported(export_onnx))
    return path


@pytest.mark.parametrize("dtype", ["FLOAT16", "DOUBLE", "UINT8"])
def test_onnx_takes_every_type_that_holds_pixels(onnx_file, dtype):
    _with_input(onnx_file, TensorProto.DataType.Value(dtype))
    answers = runtime.load_predictor(onnx_file).predict(views())
    # Whole numbers up to 2048 are exact in float16.
    np.testing.assert_allclose(answers, keras_answers(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", ["INT8", "BOOL"])
def test_onnx_of_other_types_is_refused_by_name(onnx_file, dtype):
    _with_input(onnx_file, TensorProto.DataType.Value(dtype))
    with pytest.raises(UsageError, match=f"Received: {dtype.lower()}"):
        runtime.load_predictor(onnx_file)


def _onnx_of(path, node, shape, output, *constants):
    """A file of one operator."""
    images = helper.make_tensor_value_info("x", 1, shape)
    output = helper.make_tensor_value_info("y", 1, output)
    graph = helper.make_graph([node], "g", [images], [output], constants)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_channels_first_is_refused_by_its_shape(tmp_path):
    shape, node = ["b", 3, 16, 16], helper.make_node("Relu", ["x"], ["y"])
    path = _onnx_of(tmp_path / "user.onnx", node, shape, shape)
    with pytest.raises(UsageError, match=r"channels last.*\(None, 3, 16, 16\)"):
        runtime.load_predictor(path)


# Networks of a fixed number of images.


def _fixed_keras(folder, batch):
    images = keras.Input(batch_shape=(batch, 16, 16, 3))
    path = folder / "model.keras"
    keras.Model(images, model()(images)).save(path)
    return path


def _fixed_tflite(folder, batch):
    path = folder / "model.tflite"
    choices = {"precision": "float32", "batch": batch}
    path.write_bytes(_exported(export_tflite, **choices))
    return path


def _fixed_onnx(folder, batch):
    path = folder / "model.onnx"
    path.write_bytes(_exported(export_onnx))
    _with_input(path, TensorProto.FLOAT, (batch, 16, 16, 3))
    return path


@pytest.mark.parametrize("write", [_fixed_keras, _fixed_tflite, _fixed_onnx])
def test_a_fixed_batch_takes_any_number_of_images(write, tmp_path):
    predictor = runtime.load_predictor(write(tmp_path, 3))
    assert predictor.batch == 3
    images, expected = views(), keras_answers()
    for number in (1, 3, 7):
        np.testing.assert_allclose(
            predictor.predict(images[:number]),
            expected[:number],
            rtol=0,
            atol=1e-5,
        )


# Threads.


@pytest.mark.parametrize("kind", ["tflite", "web"])
def test_threads_that_share_a_predictor_get_their_own_answers(kind, tmp_path):
    images = views()
    if kind == "tflite":
        predictor = runtime.load_predictor(_fixed_tflite(tmp_path, 1))
    else:
        content, _ = web_model.convert(shared())
        (tmp_path / predictors.WEB_MODEL).write_bytes(content)
        predictor = predictors.WebPredictor(tmp_path)
    alone = predictor.predict(images)
    assert len(np.unique(alone, axis=0)) > 50
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            together = threads.map(lambda x: predictor.predict(x[None]), images)
            np.testing.assert_array_equal(np.concatenate(list(together)), alone)


# Files that fail only when they run.


def _tflite_that_fails(folder):
    """A classifier whose weights are gone: nothing notices before it runs."""
    path = _fixed_tflite(folder, 1)
    file = tflite_files.unpacked(path.read_bytes())
    tflite_files.weights(file, "FULLY_CONNECTED").buffer = 0
    path.write_bytes(tflite_files.packed(file))
    return path


def _onnx_that_fails(folder):
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [7, 11])
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    pixels = ["b", 16, 16, 3]
    return _onnx_of(folder / "user.onnx", node, pixels, [7, 11], shape)


def _saved_model_that_fails(folder):
    spec = tf.TensorSpec((None, 16, 16, 3), tf.float32, name="images")

    @tf.function(input_signature=[spec], autograph=False)
    def serve(images):
        check = tf.debugging.Assert(tf.reduce_any(images < 0), ["wrong"])
        with tf.control_dependencies([check]):
            return {"y": images[:, 0, 0]}

    path = folder / "saved_model"
    module = tf.Module()
    tf.saved_model.save(module, str(path), signatures=serve)
    return path


@pytest.mark.parametrize(
    "write", [_tflite_that_fails, _onnx_that_fails, _saved_model_that_fails]
)
def test_a_file_that_fails_when_it_runs_is_one_line(write, tmp_path):
    path = write(tmp_path)
    with pytest.raises(UsageError) as raised:
        runtime.load_predictor(path).predict(np.zeros((1, 16, 16, 3), np.uint8))
    message = str(raised.value)
    assert "it is damaged or" in message
    assert "The reason given: " in message
    assert len(message.splitlines()) == 1


def test_what_is_no_number_is_no_probability():
    broken = network()
    broken.get_layer("logits").bias.assign(np.full(10, np.nan))
    with pytest.raises(UsageError, match="gives what is no number"):
        predictors.KerasPredictor(broken).predict(np.zeros((1, 16, 16, 3)))


@pytest.mark.parametrize(
    "shape", [(16, 16, 3), (0, 16, 16, 3), (1, 16, 16, 1), (1, 3, 16, 16)]
)
def test_images_of_another_shape_are_refused(shape):
    predictor = predictors.KerasPredictor(model())
    with pytest.raises(UsageError, match=r"\(images, 16, 16, 3\). Received"):
        predictor.predict(np.zeros(shape, np.uint8))


def test_operators_of_ones_own_in_a_tflite_file_are_one_line(tmp_path):
    """No code is loaded for them. Without them the same file loads."""
    path = _fixed_tflite(tmp_path, 1)
    content = path.read_bytes()
    for custom in (False, True):
        changed = tflite_files.unpacked(content)
        if custom:
            code = changed.operatorCodes[0]
            code.builtinCode = code.deprecatedBuiltinCode = 32  # CUSTOM
            code.customCode = b"Evil"
        path.write_bytes(tflite_files.packed(changed))
        if not custom:
            assert runtime.load_predictor(path)
            continue
        with pytest.raises(UsageError) as raised:
            runtime.load_predictor(path)
        assert "\n" not in str(raised.value)


def _answer(model, images):
    return predictors.KerasPredictor(model).predict(images)


def test_a_model_is_traced_once_until_it_changes():
    own, images = network(), views()[:1]
    before = len(compiled.COMPILED)
    first = _answer(own, images)
    *_, function = compiled.COMPILED[own]
    np.testing.assert_array_equal(_answer(own, images), first)
    # Changed weights are seen without another trace.
    own.set_weights([0.5 * value for value in own.get_weights()])
    assert np.abs(_answer(own, images) - first).max() > 1e-3
    assert compiled.COMPILED[own][-1] is function
    assert function.experimental_get_tracing_count() == 1
    # The negative control: another network takes another function.
    trained = _answer(own, images)
    own.layers[-1].activation = keras.activations.linear
    assert np.abs(_answer(own, images) - trained).max() > 1e-3
    assert compiled.COMPILED[own][-1] is not function
    # No function outlives its model.
    gone = weakref.ref(own)
    del own, function
    gc.collect()
    assert gone() is None and len(compiled.COMPILED) <= before
