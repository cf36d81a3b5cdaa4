"""Views and ensembles against NumPy, from the resized pixels on."""

import json
import pathlib

import keras
import numpy as np
import programs
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_image

import keras_resnet
from keras_resnet import errors
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.pixels import crops as pixels
from keras_resnet.data.pixels import transforms
from keras_resnet.evaluation import metrics
from keras_resnet.evaluation import views
from keras_resnet.labels import cards
from keras_resnet.labels.view import View
from keras_resnet.training import distribution

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLASSES = 8
SIZES = View(resize=20, crop=16, scales=(12, 16, 27))
OTHER_SIZES = View(resize=31, crop=24, scales=(18, 24))
# Height and width: wide, tall, square, smaller than the crop, one pixel.
SHAPES = [(60, 90), (96, 40), (50, 50), (5, 9), (1, 7), (8, 1), (1, 1)]


def _photographs():
    photographs = [load_sample_image(f"{n}.jpg") for n in ("china", "flower")]
    return [
        photographs[i % 2][100 + 9 * i :, 150 + 31 * i :][:height, :width]
        for i, (height, width) in enumerate(SHAPES)
    ]


LABELS = [3, 0, 7, 5, 1, 6, 2]


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """The photographs as files, each in the folder of its class."""
    folder = tmp_path_factory.mktemp("photographs")
    for label in range(CLASSES):
        (folder / "train" / f"class{label}").mkdir(parents=True)
        (folder / "validation" / f"class{label}").mkdir(parents=True)
    for label, image in zip(LABELS, _photographs(), strict=True):
        path = folder / "validation" / f"class{label}" / "1.png"
        Image.fromarray(image).save(path)
    return datasets.load(f"folder:{folder}", "validation")


def _network(size=16, seed=0, **choices):
    """Random, but sure enough that means of logits differ from means."""
    keras.utils.set_random_seed(seed)
    defaults = {"depths": (1, 1, 1), "shortcut": "A", "classes": CLASSES}
    model = keras_resnet.build(
        "resnet20", input_shape=(size, size, 3), **{**defaults, **choices}
    )
    kernel = model.get_layer("logits").kernel
    kernel.assign(6 * kernel)
    return model


def _member(view=SIZES, **choices):
    model = _network(view.crop, **choices)
    return views.Member(model=model, view=view)


def _for_any_size(model):
    """Made anew, not by what is tested."""
    anew = keras_resnet.build(
        "resnet20",
        depths=(1, 1, 1),
        shortcut="A",
        classes=CLASSES,
        input_shape=(None, None, 3),
    )
    anew.set_weights(model.get_weights())
    return anew


def _resized(image, pixels):
    return transforms.resize_shorter_side(image, pixels).numpy()


def _center(image, sizes):
    image = _resized(image, sizes.resize)
    top = (image.shape[0] - sizes.crop) // 2
    left = (image.shape[1] - sizes.crop) // 2
    return [image[top : top + sizes.crop, left : left + sizes.crop]]


def _ten_crop(image, sizes):
    n, image = sizes.crop, _resized(image, sizes.resize)
    crops = _center(image, sizes) + [
        image[:n, :n],
        image[:n, -n:],
        image[-n:, :n],
        image[-n:, -n:],
    ]
    return crops + [crop[:, ::-1] for crop in crops]


def _multi_scale(image, sizes):
    images = [_resized(image, scale) for scale in sizes.scales]
    return images + [image[:, ::-1] for image in images]


DEFINITIONS = {
    "center": _center,
    "ten_crop": _ten_crop,
    "multi_scale": _multi_scale,
}


def _probabilities(member, view, images):
    """The mean over the views of each image, float64 (images, K)."""
    model = _for_any_size(member.model)
    means = []
    for image in images:
        by_size = {}
        for seen in DEFINITIONS[view](image, member.view):
            by_size.setdefault(seen.shape, []).append(seen)
        of_views = [np.asarray(model(np.array(v))) for v in by_size.values()]
        means.append(np.concatenate(of_views).mean(axis=0, dtype=np.float64))
    return np.array(means)


def _expected(probabilities, label):
    own = probabilities[np.arange(len(label)), label]
    rank = (probabilities >= own[:, np.newaxis]).sum(axis=1)
    return -np.log(own).mean(), (rank <= 1).mean(), (rank <= 5).mean()


def _assert_metrics(measured, probabilities):
    # The files are read class by class.
    label = sorted(LABELS)
    loss, top1, top5 = _expected(probabilities, label)
    assert measured.num_examples == len(label)
    np.testing.assert_allclose(measured.loss, loss, rtol=1e-5)
    np.testing.assert_allclose(measured.top1_accuracy, top1, rtol=1e-6)
    np.testing.assert_allclose(measured.top5_accuracy, top5, rtol=1e-6)


def _in_order_of_the_files():
    images = _photographs()
    return [images[LABELS.index(label)] for label in sorted(LABELS)]


def _one_device():
    return distribution.make_strategy("one_device")


def test_the_tables_are_complete():
    assert list(DEFINITIONS) == list(pixels.VIEWS)


@pytest.mark.parametrize("view", DEFINITIONS)
@pytest.mark.parametrize("index", range(len(SHAPES)))
def test_pixels_are_those_of_the_definition(view, index):
    image = _photographs()[index]
    row = pixels.VIEWS[view]
    ours = row.pixels(image, SIZES)
    graph = tf.function(lambda image: row.pixels(image, SIZES))(image)
    expected = sorted(v.tobytes() for v in DEFINITIONS[view](image, SIZES))
    for group, traced in zip(ours, graph, strict=True):
        assert group.dtype == tf.uint8
        np.testing.assert_array_equal(group, traced)
    assert sorted(v.numpy().tobytes() for g in ours for v in g) == expected


def test_ten_crops_are_the_corners_and_the_centre_of_the_whole_image():
    i, j = np.mgrid[:20, :33]
    image = np.stack([i, j, 0 * i], axis=-1).astype(np.uint8)
    (crops,) = pixels.ten_crop(image, SIZES)
    assert crops.shape == (10, 16, 16, 3)
    corners = [tuple(crop[0, 0, :2]) for crop in crops.numpy()]
    assert corners[:5] == [(0, 0), (0, 17), (4, 0), (4, 17), (2, 8)]
    # Mirrored, the first column is the last one of the crop.
    assert corners[5:] == [(0, 15), (0, 32), (4, 15), (4, 32), (2, 23)]


def test_ten_crops_of_the_central_square_are_others():
    image = _resized(_photographs()[0], SIZES.resize)
    square = transforms.evaluation(
        image, View(resize=SIZES.resize, crop=SIZES.resize)
    )
    (whole,), (central,) = (pixels.ten_crop(i, SIZES) for i in (image, square))
    assert not np.array_equal(whole, central)


def test_scales_are_the_papers_or_in_proportion():
    assert pixels.scales_for(224) == (224, 256, 384, 480, 640)
    assert pixels.scales_for(32) == (32, 37, 55, 69, 91)
    assert pixels.scales_for(16)[0] == 16


@pytest.mark.parametrize(
    "view, batch_size",
    [("center", 4), ("ten_crop", 3), ("ten_crop", 30), ("multi_scale", 100)],
)
def test_errors_are_those_of_the_mean_probabilities(split, view, batch_size):
    member = _member()
    each, together = views.evaluate(
        [member], _one_device(), split, views=view, batch_size=batch_size
    )
    images = _in_order_of_the_files()
    _assert_metrics(each, _probabilities(member, view, images))
    assert together == each


def test_a_network_of_a_fixed_batch_is_evaluated_by_any(split):
    free = _member()
    image = keras.Input(batch_shape=(4, SIZES.crop, SIZES.crop, 3))
    model = keras.models.clone_model(free.model, input_tensors=image)
    model.set_weights(free.model.get_weights())
    fixed = views.Member(model=model, view=SIZES)
    images = _in_order_of_the_files()
    for view, batch_size in (("center", 3), ("ten_crop", 20)):
        ours, _ = views.evaluate(
            [fixed], _one_device(), split, views=view, batch_size=batch_size
        )
        _assert_metrics(ours, _probabilities(free, view, images))


@pytest.mark.parametrize("view", ["ten_crop", "multi_scale"])
def test_an_ensemble_is_the_mean_of_its_networks(split, view):
    members = [_member(), _member(seed=1), _member(OTHER_SIZES, seed=2)]
    *each, together = views.evaluate(
        members, _one_device(), split, views=view, batch_size=20
    )
    images = _in_order_of_the_files()
    expected = [_probabilities(member, view, images) for member in members]
    for measured, probabilities in zip(each, expected, strict=True):
        _assert_metrics(measured, probabilities)
    _assert_metrics(together, np.mean(expected, axis=0))
    losses = [measured.loss for measured in each]
    assert len({*losses, together.loss}) == 4


def test_two_devices_give_what_one_gives(split):
    strategy = distribution.make_strategy("mirrored", 2)
    with strategy.scope():
        members = [_member(), _member(OTHER_SIZES, seed=1)]
    *ours, _ = views.evaluate(
        members, strategy, split, views="multi_scale", batch_size=4
    )
    images = _in_order_of_the_files()
    for metrics_of, member in zip(ours, members, strict=True):
        expected = _probabilities(member, "multi_scale", images)
        _assert_metrics(metrics_of, expected)


def test_the_network_is_traced_once_for_all_sizes(split, monkeypatch):
    calls, original = [], views.log_probabilities

    def counted(*args):
        calls.append(args)
        return original(*args)

    monkeypatch.setattr(views, "log_probabilities", counted)
    member, device = _member(), _one_device()
    views.evaluate([member], device, split, views="multi_scale", batch_size=20)
    assert len(calls) == 1


@pytest.mark.parametrize("view, images", [("center", 40), ("ten_crop", 4)])
def test_a_batch_holds_no_more_views_than_asked_for(view, images):
    row = pixels.VIEWS[view]
    assert row.images_at_once(40) == images
    assert row.images_at_once(40) * row.number <= 40
    assert row.images_at_once(1) == 1


def test_a_crop_may_be_larger_than_the_networks_images(split):
    """As P2 Table 5: trained on 224, a crop of 320."""
    view = View(resize=23, crop=23)
    model = _network(16)
    member = views.Member(model=model, view=view)
    other = views.Member(model=model, view=SIZES)
    *each, _ = views.evaluate(
        [member, other], _one_device(), split, views="center", batch_size=4
    )
    images = _in_order_of_the_files()
    for measured, seen in zip(each, (member, other), strict=True):
        _assert_metrics(measured, _probabilities(seen, "center", images))
    assert each[0].loss != each[1].loss


def test_the_mean_of_logits_is_another_number():
    member = _member()
    image = _photographs()[0]
    views_of = np.array(_ten_crop(image, SIZES))
    network = keras_resnet.logits(member.model)
    ours = views.log_probabilities(network, (views_of[np.newaxis],))
    of_softmax = _probabilities(member, "ten_crop", [image])
    of_logits = keras.ops.softmax(np.asarray(network(views_of)).mean(axis=0))
    np.testing.assert_allclose(np.exp(ours), of_softmax, rtol=1e-5)
    assert np.abs(of_logits - of_softmax).max() > 0.001


def test_every_view_counts_the_same_whatever_its_tensor():
    """Three views of one size and one of another: a mean of four."""
    member = _member()
    rng = np.random.default_rng(0)
    three = rng.integers(256, size=(1, 3, 16, 16, 3), dtype="uint8")
    one = rng.integers(256, size=(1, 1, 20, 9, 3), dtype="uint8")
    network = views.any_size(keras_resnet.logits(member.model))
    ours = np.exp(views.log_probabilities(network, (three, one)))
    model = _for_any_size(member.model)
    each = np.concatenate([model(three[0]), model(one[0])])
    np.testing.assert_allclose(ours[0], each.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    "placement, shortcut",
    [("original", "A"), ("bn_after_add", "B"), ("full_preact", "C")],
)
def test_a_network_for_any_size_is_the_same_network(placement, shortcut):
    model = _network(placement=placement, shortcut=shortcut)
    free = views.any_size(model)
    assert free.input_shape == (None, None, None, 3)
    ours, theirs = free.weights, model.weights
    assert all(a is b for a, b in zip(ours, theirs, strict=True))
    images = np.stack([p[:16, :16] for p in _photographs()[:3]])
    np.testing.assert_array_equal(free(images), model(images))
    assert free(_photographs()[0][np.newaxis]).shape == (1, CLASSES)


def test_an_imagenet_network_takes_any_size():
    model = keras_resnet.build(
        "resnet50_v2", depths=(1, 1, 1, 1), filters=(4, 4, 4, 4), classes=5
    )
    free = views.any_size(keras_resnet.logits(model))
    assert free(np.zeros((1, 97, 50, 3), np.uint8)).shape == (1, 5)


def test_pooling_then_classifying_is_the_mean_of_dense_scores():
    """P1's fully convolutional form: the classifier at each position."""
    model = _network()
    image = _photographs()[0][np.newaxis]
    anew = _for_any_size(model)
    pool, classifier = anew.get_layer("pool"), anew.get_layer("logits")
    maps = np.asarray(keras.Model(anew.input, pool.input)(image), np.float64)
    assert maps.shape[1:3] == (15, 23)
    kernel, bias = (np.asarray(w) for w in classifier.get_weights())
    dense = maps @ kernel + bias
    ours = np.asarray(views.any_size(keras_resnet.logits(model))(image))
    np.testing.assert_allclose(ours, dense.mean(axis=(1, 2)), rtol=1e-4)
    # Windows of the size that was trained on count the border less often.
    windows = np.lib.stride_tricks.sliding_window_view(dense, (4, 4), (1, 2))
    slid = windows.mean(axis=(1, 2, 4, 5))
    assert np.abs(slid - ours).max() > 1e-2


def test_a_small_probability_is_not_lost():
    logs = np.array([[-1000.0, 0.0], [-2000.0, 0.0]])
    mean = views.log_mean(tf.constant(logs), axis=0).numpy()
    np.testing.assert_allclose(mean[0], -1000 - np.log(2))


def test_one_view_ranks_classes_as_the_logits_do():
    """Two logits that the softmax of float32 cannot tell apart."""
    logits = np.array([[1e-9, 2e-9, 3.0]], np.float32)
    only = np.zeros((1, 1, 16, 16, 3), np.uint8)
    log = views.log_probabilities(lambda x, training: logits, (only,))
    assert keras.ops.softmax(logits)[0, 0] == keras.ops.softmax(logits)[0, 1]
    assert list(np.argsort(log[0])) == [0, 1, 2]
    top1 = [metrics.batch_sums(log, np.array([k]), [1.0])[1] for k in range(3)]
    assert top1 == [0, 0, 1]


@pytest.mark.parametrize(
    "batch_size, batches", [(1, 1), (3, 2), (7, 1), (5, 3)]
)
def test_batches_are_full_and_as_many_as_devices(split, batch_size, batches):
    dataset = pipeline.every_example(
        split,
        lambda image: (tf.shape(image),),
        batch_size=batch_size * batches,
        context=tf.distribute.InputContext(num_replicas_in_sync=batches),
    )
    found = list(dataset.as_numpy_iterator())
    assert len(found) % batches == 0
    shapes = np.concatenate([batch["image"][0] for batch in found])
    weights = np.concatenate([batch["weight"] for batch in found])
    assert len(weights) == batch_size * len(found)
    assert list(weights) == [1] * 7 + [0] * (len(weights) - 7)
    expected = [image.shape for image in _in_order_of_the_files()]
    assert [tuple(shape) for shape in shapes[:7]] == expected


@pytest.mark.parametrize(
    "view, sizes, message",
    [
        ("tencrop", SIZES, "Did you mean 'ten_crop'"),
        ("multi_scale", View(resize=8, crop=8), "one or more"),
        (
            "multi_scale",
            View(resize=8, crop=8, scales=(8, 0)),
            "at least 1",
        ),
    ],
)
def test_views_that_cannot_work_are_refused(split, view, sizes, message):
    with pytest.raises(errors.UsageError, match=message):
        views.evaluate(
            [_member(sizes)], _one_device(), split, views=view, batch_size=4
        )


def test_an_unreadable_image_is_named(tmp_path):
    for folder in ("train/a", "validation/a"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / folder / "1.png")
    (tmp_path / "validation/a/2.png").write_text("no image")
    split = datasets.load(f"folder:{tmp_path}", "validation")
    with pytest.raises(errors.UsageError, match="2.png"):
        views.evaluate(
            [_member()], _one_device(), split, views="center", batch_size=4
        )


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two networks for digits, of different sizes, and one for letters."""
    folder = tmp_path_factory.mktemp("models")
    data = tmp_path_factory.mktemp("digits")
    digits = tuple(map(str, range(10)))
    for i, image in enumerate(_photographs() + _photographs()[:3]):
        for split in ("train", "validation"):
            (data / split / digits[i]).mkdir(parents=True)
            path = data / split / digits[i] / "1.png"
            Image.fromarray(image).save(path)
    for name, size, names in (
        ("a", 16, digits),
        ("b", 20, digits),
        ("letters", 16, (*digits[:9], "x")),
    ):
        (folder / name).mkdir()
        model = _network(size, seed=size, classes=10)
        model.save(folder / name / "model.keras")
        cards.Card(
            class_names=names,
            image_size=size,
            eval_resize=size + 2,
            variant="resnet20",
            dataset=f"folder:{data}",
        ).save(folder / name)
    return {child.name: child / "model.keras" for child in folder.iterdir()}


def _evaluate(*arguments):
    return programs.start("evaluate", *arguments, cwd=ROOT)


@pytest.mark.parametrize(
    "arguments, scales",
    [
        (["--views=ten_crop", "--strategy=mirrored", "--devices=2"], None),
        (["--views=multi_scale", "--scales=16,24"], (16, 24)),
    ],
    ids=["ten_crop", "multi_scale"],
)
def test_the_command_reports_each_network_and_the_ensemble(
    models, tmp_path, arguments, scales
):
    figures = tmp_path / "figures.json"
    result = _evaluate(
        f"--model={models['a']}",
        f"--model={models['b']}",
        f"--json={figures}",
        *arguments,
    )
    assert result.returncode == 0, result.stderr
    view = arguments[0].removeprefix("--views=")
    first, second, last = result.stdout.splitlines()
    assert first.startswith(f"{models['a']}: top-1 error ")
    assert second.startswith(f"{models['b']}: top-1 error ")
    assert f"/validation, {view}, ensemble of 2: top-1 error " in last
    assert last.endswith("of 10 images")
    measured = json.loads(figures.read_text())
    assert measured["views"] == view
    members = [
        views.Member(
            model=keras.saving.load_model(models[name], compile=False),
            view=View(
                resize=size + 2,
                crop=size,
                scales=scales or pixels.scales_for(size),
            ),
        )
        for name, size in (("a", 16), ("b", 20))
    ]
    *each, together = views.evaluate(
        members,
        _one_device(),
        datasets.load(
            cards.load_card(models["a"].parent).dataset, "validation"
        ),
        views=view,
        batch_size=100,
    )
    found = [*measured["models"], measured]
    for ours, theirs in zip(found, [*each, together], strict=True):
        np.testing.assert_allclose(ours["loss"], theirs.loss, rtol=1e-6)
        assert ours["top1_accuracy"] == theirs.top1_accuracy
        assert ours["num_examples"] == 10
    assert [m["crop"] for m in measured["models"]] == [16, 20]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--scales=16"], "--scales goes with --views=multi_scale"),
        (["--model={a}"], "more than once"),
        (["--model={letters}"], "Class 9 is '9' for"),
    ],
)
def test_a_mistake_is_one_message(models, arguments, message):
    arguments = [argument.format(**models) for argument in arguments]
    result = _evaluate(f"--model={models['a']}", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
