"""Grad-CAM against its equations, and against what it must find."""

import threading

import keras
import numpy as np
import programs
import pytest
from PIL import Image

import keras_resnet
from keras_resnet import errors
from keras_resnet.data.pixels import transforms
from keras_resnet.evaluation import explain
from keras_resnet.inference import tensors
from keras_resnet.labels import cards
from keras_resnet.labels.view import View


def _build(**choices):
    keras.utils.set_random_seed(0)
    defaults = {
        **{"depths": (1, 1), "filters": (16, 16)},
        **{"input_shape": (16, 16, 3), "classes": 3},
    }
    return keras_resnet.build("resnet20", **{**defaults, **choices})


@pytest.fixture(scope="module")
def model():
    """No test changes it."""
    return _build()


def _images(count=4):
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(count, 16, 16, 3), dtype="uint8")


def _maps(model, images):
    pool = model.get_layer("pool")
    return np.asarray(keras.Model(model.input, pool.input)(images))


def _bilinear(heat, size):
    """Resizes (n, n) to (size, size), with the centres of pixels at 0.5."""
    n = len(heat)
    at = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
    low = np.floor(at).astype(int)
    high, part = np.minimum(low + 1, n - 1), at - low
    rows = heat[low] * (1 - part)[:, None] + heat[high] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, high] * part


@pytest.mark.parametrize("placement", ["original", "full_preact"])
def test_heat_is_equations_1_and_2(placement):
    model, images = _build(placement=placement), _images()
    maps, classes = _maps(model, images), [2, 0, 1, 1]
    kernel = keras.ops.convert_to_numpy(model.get_layer("logits").kernel)
    # y_c = b_c + sum_k W_kc mean(A_k), so dy_c / dA_k is W_kc / places.
    alpha = kernel[:, classes].T / (maps.shape[1] * maps.shape[2])
    heat = np.maximum(np.einsum("bk,bhwk->bhw", alpha, maps), 0)
    greatest = heat.max(axis=(1, 2), keepdims=True)
    assert greatest.max() > 0
    heat /= np.where(greatest > 0, greatest, 1)
    expected = np.stack([_bilinear(h, 16) for h in heat])
    ours = explain.grad_cam(model, images, classes)
    assert (ours.dtype, ours.shape) == (np.float32, (4, 16, 16))
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert 0 <= ours.min() and ours.max() <= 1


def test_the_default_is_the_most_probable_class(model):
    images = _images()
    top = np.asarray(model(images)).argmax(axis=-1)
    np.testing.assert_array_equal(
        explain.grad_cam(model, images), explain.grad_cam(model, images, top)
    )


def test_a_frozen_network_is_explained_alike():
    model, images = _build(), _images()
    before = explain.grad_cam(model, images, 1)
    keras_resnet.freeze(model, "head")
    model.get_layer("logits").trainable = False
    np.testing.assert_array_equal(explain.grad_cam(model, images, 1), before)


def test_a_class_that_nothing_speaks_for_is_cold():
    model = _build()
    logits = model.get_layer("logits")
    # Maps are not negative after a ReLU.
    logits.kernel.assign(-np.ones(logits.kernel.shape))
    np.testing.assert_array_equal(explain.grad_cam(model, _images(), 0), 0)


def test_heat_lies_where_the_evidence_is():
    """The heat of each of two textures lies in its half of the image."""
    model = _build(classes=2)
    rng = np.random.default_rng(0)
    fine, coarse = rng.integers(256, size=(2, 256, 16, 16, 1), dtype="uint8")
    coarse = coarse[:, ::8, ::8].repeat(8, 1).repeat(8, 2)
    images = np.concatenate([fine, coarse]).repeat(3, axis=-1)
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=False,
    )
    model.fit(images, np.repeat([0, 1], 256), 32, epochs=4, verbose=0)
    halves = np.concatenate([images[:64, :, :8], images[-64:, :, :8]], axis=2)

    def share_on_the_left(index):
        heat = explain.grad_cam(model, halves, index)
        return heat[:, :, :8].sum() / heat.sum()

    assert share_on_the_left(0) > 0.75
    assert share_on_the_left(1) < 0.25


@pytest.mark.parametrize("classes", [3, -1, [0, 1], 1.0, "a"])
def test_a_class_that_is_not_there_is_refused(model, classes):
    with pytest.raises(errors.UsageError, match="from 0 to 2.*Received"):
        explain.grad_cam(model, _images(), classes)


def test_a_network_without_a_top_is_refused():
    with pytest.raises(errors.UsageError, match="'pool' and 'logits'"):
        explain.grad_cam(_build(include_top=False), _images())


def test_hot_places_are_bright_and_cold_ones_dark():
    image = np.full((2, 2, 3), 128, "uint8")
    shown = explain.overlay(image, np.array([[0.0, 0.5], [0.75, 1.0]]))
    assert shown.dtype == np.uint8
    luminance = shown @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance.ravel()) > 10).all()


@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (10, 15), (40, 40)])
def test_heat_lies_in_the_picture_where_its_view_lies(shape):
    """A ramp of colours, seen through the view and drawn back, matches."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    picture = np.stack([3 * rows, 3 * columns, 0 * rows], -1).astype("uint8")
    view = View(resize=20, crop=16)
    seen = transforms.evaluation(picture, view).numpy() / 255
    drawn = [
        explain._at_places(seen[..., c], view, shape) * 255 for c in range(2)
    ]
    top, left, bottom, right = view.part(*shape)
    unit = min(shape) / 20  # pixels of the picture in one pixel of the view
    inside = (rows > top + unit) & (rows < bottom - unit)
    inside &= (columns > left + unit) & (columns < right - unit)
    for c in range(2):
        close = np.abs(drawn[c] - picture[..., c]) < 3
        assert close[inside].all() and inside.sum() > 20
    far = (rows < top) | (rows > bottom) | (columns < left) | (columns > right)
    shown = explain.over_picture(picture, view, np.ones((16, 16)))
    assert (np.ptp(shown[far], axis=-1) == 0).all() and far.any()
    assert (np.ptp(shown[inside], axis=-1) > 0).all()


@pytest.fixture(scope="module")
def workdir(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    model.save(folder / "model.keras")
    cards.Card(
        class_names=("cat", "dog", "hen"), image_size=16, eval_resize=20
    ).save(folder)
    for name in ("a/x.png", "b/x.png"):
        (folder / name).parent.mkdir()
        Image.fromarray(_images(1)[0]).save(folder / name)
    return folder


def test_the_command_writes_a_png_an_image(workdir):
    words = ["--model=model.keras", "a", "b/x.png"]
    words += ["--class_name=dog", "--class_name=hen"]
    result = programs.start("explain", *words, cwd=workdir)
    assert result.returncode == 0, result.stderr
    for name in ("x_gradcam.png", "x_2_gradcam.png"):
        with Image.open(workdir / "explained" / name) as image:
            assert image.width > 2 * image.height
    assert "a/x.png  dog  " in result.stdout


def test_floats_of_0_to_1_are_warned_of(model, monkeypatch, recwarn):
    monkeypatch.setattr(tensors, "_warned", threading.Event())
    images = _images().astype("float32")
    explain.grad_cam(model, images)
    explain.grad_cam(model, 0 * images)
    assert not [w for w in recwarn if "0..255" in str(w.message)]
    with pytest.warns(UserWarning, match="of 0..255"):
        explain.grad_cam(model, images / 255)
