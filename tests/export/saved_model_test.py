"""What a SavedModel answers, takes and carries, also for other programs."""

import os
import shutil
import subprocess
import sysconfig

import attacks
import exported_networks
import image_kinds
import numpy as np
import programs
import pytest
import tensorflow as tf
from exported_networks import NAMES
from exported_networks import card_of
from photographs import encoded
from photographs import photograph
from PIL import Image

from keras_resnet.data.pixels import decoding
from keras_resnet.errors import UsageError
from keras_resnet.export import formats
from keras_resnet.export import pipeline
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification import verify
from keras_resnet.export.verification.verify import evaluation_views
from keras_resnet.export.writers import saved_model
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import warmup
from keras_resnet.export.writers.saved_model import answer
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.inference import runtime
from keras_resnet.labels.cards import top_classes

# Images of any size, and one that is not resized.
SIZES = [(40, 60), (33, 20), (18, 18), (128, 50)]

OUTPUTS = ["probabilities", "top_indices", "top_names", "top_probabilities"]


@pytest.fixture(scope="module")
def card(model):
    return card_of(model)


@pytest.fixture(scope="module")
def shared(model, card):
    """Folded once for all files."""
    return serving.Network(model, card)


@pytest.fixture(scope="module")
def views_path(shared, tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "saved_model"
    export_saved_model(shared, path, card=shared.card)
    return path


@pytest.fixture(scope="module")
def whole(shared, card, tmp_path_factory):
    """(Artifact, path) of a file whose serving_default resizes and crops.

    It is asked to name more classes than there are.
    """
    path = tmp_path_factory.mktemp("whole") / "saved_model"
    choices = {"card": card, "resize": True, "top": 50}
    return export_saved_model(shared, path, **choices), path


@pytest.fixture(scope="module")
def predictor(whole):
    return runtime.load_predictor(whole[1])


@pytest.fixture(scope="module")
def serve_views(views_path):
    return _signatures(views_path)


@pytest.fixture(scope="module")
def serve_whole(whole):
    return _signatures(whole[1])


@pytest.fixture(scope="module")
def photographs():
    """Crops of one photograph, uint8 (H, W, 3)."""
    pixels = photograph()
    return [pixels[-height:, :width] for height, width in SIZES]


def _expected(model, images, card):
    return exported_networks.answers(model, evaluation_views(images, card))


def _signatures(path):
    """A function that calls a signature by its name."""
    loaded = tf.saved_model.load(str(path))

    def call(name, **inputs):
        found = loaded.signatures[name](**inputs)
        return {k: v.numpy() for k, v in found.items()}

    return call


# What it answers.


@pytest.mark.parametrize("name", ["serving_default", "serve_bytes"])
def test_the_most_probable_classes_come_first_by_index_and_name(
    serve_views, model, card, name
):
    images, _ = exported_networks.digits(4)
    views = exported_networks.views(card, 4)
    expected = exported_networks.answers(model, views)
    files = [encoded(image, "PNG") for image in images]
    inputs = {
        "serving_default": {"images": views.astype("float32")},
        "serve_bytes": {"image_bytes": tf.constant(files)},
    }
    found = serve_views(name, **inputs[name])
    assert sorted(found) == OUTPUTS
    np.testing.assert_allclose(
        found["probabilities"], expected, rtol=0, atol=1e-5
    )
    assert found["top_indices"].dtype == np.int32
    assert found["top_indices"].shape == (4, 5)
    # The command line has its own sorting.
    for row, classes in enumerate(top_classes(expected, NAMES, 5)):
        names, values = zip(*classes, strict=True)
        chosen = [name.decode() for name in found["top_names"][row]]
        assert chosen == [*names]
        assert chosen == [NAMES[i] for i in found["top_indices"][row]]
        np.testing.assert_allclose(
            found["top_probabilities"][row], values, rtol=0, atol=1e-5
        )


def _is_half_as_exact(found, expected):
    assert found.dtype == np.float32
    return 1e-5 < abs(found - expected).max() < 0.05


def test_bfloat16_has_half_the_bytes_and_answers_in_float32(
    shared, model, card, views_path, tmp_path
):
    path, choices = tmp_path / "half", {"precision": "bfloat16"}
    export_saved_model(shared, path, card=card, **choices)
    weights = sum(file.stat().st_size for file in views_path.rglob("*.data*"))
    stored = sum(file.stat().st_size for file in path.rglob("*.data*"))
    assert stored < 0.52 * weights
    views = exported_networks.views(card)
    found = np.asarray(runtime.load_predictor(path).predict(views))
    assert _is_half_as_exact(found, exported_networks.answers(model, views))


def test_frozen_bfloat16_is_held_once_and_verified(
    model, card, views_path, tmp_path
):
    """Both signatures use the same constants of the graph."""
    answers = {}

    def predict(path, inputs, **options):
        answers.update(isolated.predict(path, inputs, **options))
        return answers

    choices = {"options": formats.Options(frozen=True), "predict": predict}
    (artifact,) = exported_networks.export(
        model, tmp_path, ["saved_model_bfloat16"], **choices
    )
    path = tmp_path / artifact.path
    assert artifact.precision == "bfloat16"
    weights = sum(file.stat().st_size for file in views_path.rglob("*.data*"))
    before = (views_path / "saved_model.pb").stat().st_size
    graph = (path / "saved_model.pb").stat().st_size
    assert graph - before < 0.6 * weights
    assert sum(file.stat().st_size for file in path.rglob("*.data*")) < 1_000
    images, _ = exported_networks.digits(8)
    expected = exported_networks.answers(
        model, exported_networks.views(card, 8)
    )
    assert sorted(answers) == ["serve_bytes", "serving_default"]
    for found in answers.values():
        assert _is_half_as_exact(found["probabilities"], expected)
    other = exported_networks.network(seed=1)
    with pytest.raises(verify.VerificationError, match="a logit differs by"):
        verify.verify(tmp_path, other, images, predict=lambda *_, **__: answers)


def test_what_a_protocol_buffer_cannot_hold_is_not_frozen(
    model, card, tmp_path, monkeypatch
):
    monkeypatch.setattr(saved_model, "_LARGEST", 1_000)
    choices = {"card": card, "formats": ["saved_model_bfloat16"]}
    pipeline.check(model, tmp_path / "x", **choices)
    choices["options"] = formats.Options(frozen=True)
    with pytest.raises(UsageError, match="of 2 GB at most. Received"):
        pipeline.check(model, tmp_path / "x", **choices)


def test_top_is_at_most_the_number_of_classes(whole, serve_whole):
    images = tf.zeros((2, 18, 18, 3), tf.uint8)
    found = serve_whole("serving_default", images=images)
    assert found["top_names"].shape == (2, 10)
    outputs = whole[0].signature["outputs"]
    assert {name: output["shape"][1:] for name, output in outputs.items()} == {
        name: [*value.shape[1:]] for name, value in found.items()
    }
    assert sorted(outputs) == OUTPUTS


def test_of_equal_probabilities_the_first_class_comes_first():
    probabilities = tf.constant([[0.1, 0.3, 0.3, 0.3], [0.25] * 4])
    found = answer(probabilities, ["a", "b", "c", "d"], 2)
    assert found["top_names"].numpy().tolist() == [[b"b", b"c"], [b"a", b"b"]]
    assert found["top_indices"].numpy().tolist() == [[1, 2], [0, 1]]


def test_another_top_is_refused_before_any_work(model, card, tmp_path):
    for top in (0, -1, 2.0, "5"):
        with pytest.raises(UsageError, match="top must be an int >= 1. Rec"):
            export_saved_model(model, tmp_path / "m", card=card, top=top)
    assert not list(tmp_path.iterdir())


# What it takes.


def test_whole_images_of_any_size_are_resized_and_cropped_inside(
    whole, predictor, model, card, photographs
):
    assert whole[0].signature["inputs"] == {
        "images": {"dtype": "uint8", "shape": [None, None, None, 3]}
    }
    assert (predictor.resizes, predictor.image_size) == (True, None)
    expected = _expected(model, photographs, card)
    for image, row in zip(photographs, expected, strict=True):
        batch = np.stack([image, image[:, ::-1]])
        mirrored = _expected(model, batch, card)
        actual = predictor.predict(batch)
        np.testing.assert_allclose(actual, mirrored, rtol=0, atol=1e-5)
        np.testing.assert_allclose(actual[0], row, rtol=0, atol=1e-5)
    # Resizing without the crop would give other images.
    squashed = tf.image.resize(photographs[0], (16, 16))[tf.newaxis]
    other = exported_networks.answers(model, squashed.numpy())
    assert abs(other - expected[:1]).max() > 1e-3


def test_every_kind_of_file_is_answered_right_or_refused(
    predictor, model, card, photographs
):
    read, refused = image_kinds.READ, image_kinds.REFUSED
    images = [image_kinds.pillow(file) for file in read.values()]
    images = [*(image.astype(np.uint8) for image in images), *photographs]
    files = [*read.values(), *(encoded(x, "PNG") for x in photographs)]
    actual = predictor.predict_bytes(files)
    expected = _expected(model, images, card)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    # The answers tell such images apart.
    assert np.ptp(expected, axis=0).max() > 1e-3
    for name, file in refused.items():
        with pytest.raises(tf.errors.InvalidArgumentError):
            predictor.predict_bytes([file])
            pytest.fail(name)


def test_normalised_pixels_are_refused_where_whole_images_are_taken(
    serve_whole,
):
    images = tf.zeros((1, 20, 20, 3), tf.float32)
    with pytest.raises(Exception, match="uint8"):
        serve_whole("serving_default", images=images)


# What TensorFlow Serving runs first.


def _requests(path):
    """{signature: {input: tensor}}, by TensorFlow Serving's own messages."""
    apis = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2",
        reason="needs tensorflow-serving-api (peers extra)",
    )
    records = tf.data.TFRecordDataset(str(path / warmup.PATH))
    found = {}
    for record in records.as_numpy_iterator():
        log = apis.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "resnet20"
        found[request.model_spec.signature_name] = {
            name: tf.make_ndarray(tensor)
            for name, tensor in request.inputs.items()
        }
    return found


@pytest.mark.parametrize("kind", ["views", "whole"])
def test_serving_finds_a_request_for_each_signature(
    kind, whole, views_path, serve_whole, serve_views
):
    path = views_path if kind == "views" else whole[1]
    requests = _requests(path)
    assert (path / warmup.PATH).stat().st_size < 2000
    assert sorted(requests) == ["serve_bytes", "serving_default"]
    images = requests["serving_default"]["images"]
    assert (images == 128).all()
    assert (images.shape, images.dtype) == {
        "views": ((1, 16, 16, 3), np.float32),
        "whole": ((1, 18, 18, 3), np.uint8),
    }[kind]
    for name, inputs in requests.items():
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        resizes = kind == "whole" and name == "serving_default"
        found = (serve_whole if resizes else serve_views)(name, **tensors)
        assert found["probabilities"].shape == (1, 10)


# What a user types.


# The README has the first, with a sample.
COMMANDS = {
    "serve_bytes": """
python -c "import numpy
numpy.save('photo.npy', [open('photo.jpg', 'rb').read()])"
saved_model_cli run --dir exported/saved_model --tag_set serve \
  --signature_def serve_bytes --inputs image_bytes=photo.npy
""",
    "serving_default": """
python -c "import numpy, PIL.Image
numpy.save('photo.npy', [PIL.Image.open('photo.jpg').convert('RGB')])"
saved_model_cli run --dir exported/saved_model --tag_set serve \
  --signature_def serving_default --inputs images=photo.npy
""",
}


@pytest.mark.large
@pytest.mark.parametrize("name", list(COMMANDS))
def test_saved_model_cli_runs_it_on_a_photograph(
    whole, model, card, tmp_path, name
):
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    if not shutil.which("saved_model_cli", path=path):
        pytest.skip("needs saved_model_cli, which pip installs with TensorFlow")
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "saved_model").symlink_to(whole[1])
    Image.fromarray(photograph()).save(tmp_path / "photo.jpg")
    done = subprocess.run(
        ["bash", "-euc", COMMANDS[name].rstrip() + " --outdir found"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for output in OUTPUTS:
        assert f"Result for output key {output}:" in done.stdout
    pixels = {
        "serve_bytes": decoding.decode((tmp_path / "photo.jpg").read_bytes()),
        "serving_default": np.asarray(Image.open(tmp_path / "photo.jpg")),
    }
    expected = _expected(model, [pixels[name]], card)
    actual = np.load(tmp_path / "found" / "probabilities.npy")
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)
    best = NAMES[expected[0].argmax()]
    assert f"[[b'{best}'" in done.stdout


@pytest.mark.large
def test_predict_gives_it_the_whole_photograph(whole, model, card):
    directory = whole[1].parent
    card.save(directory)
    photo = directory / "photo.png"
    photo.write_bytes(encoded(photograph(), "PNG"))
    done = programs.start(
        "predict", f"--model={whole[1]}", photo, cwd=directory
    )
    assert done.returncode == 0, done.stderr
    expected = _expected(model, [photograph()], card)
    ((best, probability), *_) = top_classes(expected, NAMES)[0]
    assert f"  {probability:7.2%}  {best}\n" in done.stdout


def test_serve_bytes_refuses_what_would_take_all_time_or_memory(predictor):
    """A client of a server may send anything."""
    serve = predictor.predict_bytes
    good = encoded(Image.fromarray(photograph()), "JPEG")
    assert serve([good, attacks.progressive(100, 30)]).shape == (2, len(NAMES))
    for bomb, message in (
        (attacks.gif((20, 20), [(30_000, 30_000)]), "not its screen"),
        (attacks.progressive(11_500, 5_000), "too many scans"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            serve([good, bomb])


def _writes_a_file(folder):
    def serve(images):
        write = tf.io.write_file(str(folder / "written"), "x")
        with tf.control_dependencies([write]):
            return tf.nn.softmax(tf.reduce_mean(images, (1, 2)))

    return serve


def _in_a_branch(folder):
    inner = _writes_a_file(folder)

    def serve(images):
        return tf.cond(
            tf.size(images) > 0, lambda: inner(images), lambda: images[:, 0, 0]
        )

    return serve


def _calls_python(folder):
    def serve(images):
        def answer(images):
            (folder / "written").touch()
            return images.mean((1, 2))

        return tf.numpy_function(answer, [images], tf.float32, stateful=False)

    return serve


def _reads_a_file(folder):
    def serve(images):
        text = tf.strings.length(tf.io.read_file("/etc/hostname"))
        return tf.reduce_mean(images, (1, 2)) + tf.cast(text, tf.float32)

    return serve


def _computes(folder):
    """Layers that none of our networks has."""

    def serve(images):
        values = tf.nn.gelu(tf.nn.avg_pool2d(images, 2, 2, "SAME"))
        return tf.nn.softmax(tf.math.erf(tf.reduce_mean(values, (1, 2))))

    return serve


PROGRAMS = {
    "WriteFile": _writes_a_file,
    "WriteFile in a branch": _in_a_branch,
    "PyFuncStateless": _calls_python,
    "ReadFile": _reads_a_file,
    "": _computes,
}


@pytest.mark.parametrize("operator", PROGRAMS)
def test_a_program_that_does_more_than_compute_is_not_run(operator, tmp_path):
    module, path = tf.Module(), tmp_path / "saved_model"
    spec = tf.TensorSpec((None, 8, 8, 3), tf.float32, name="images")
    serve = tf.function(
        PROGRAMS[operator](tmp_path), input_signature=[spec], autograph=False
    )
    module.serve = serve
    tf.saved_model.save(module, str(path), signatures=serve)
    if not operator:
        images = np.zeros((1, 8, 8, 3), np.float32)
        assert runtime.load_predictor(path).predict(images).shape == (1, 3)
        return
    with pytest.raises(UsageError, match=operator.split()[0]) as raised:
        runtime.load_predictor(path)
    assert "is a program that does more than compute" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "written").exists()


def test_the_same_graph_in_another_file_is_not_run(views_path, tmp_path):
    path = shutil.copytree(views_path, tmp_path / "saved_model")
    (path / "saved_model.cpb").touch()
    with pytest.raises(UsageError, match="saved_model.cpb"):
        runtime.load_predictor(path)
