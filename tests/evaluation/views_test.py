"""Views and ensembles against NumPy, starting from the resized pixels."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_image

import keras_resnet
from keras_resnet import errors
from keras_resnet.data import datasets
from keras_resnet.data.pixels import crops as pixels
from keras_resnet.data.pixels import transforms
from keras_resnet.evaluation import metrics
from keras_resnet.evaluation import views
from keras_resnet.labels.view import View
from keras_resnet.training import distribution

CLASSES = 8
SIZES = View(resize=20, crop=16, scales=(12, 27))
OTHER_SIZES = View(resize=31, crop=24, scales=(18,))
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
def files(tmp_path_factory):
    """The photographs as files, each in the folder of its class."""
    folder = tmp_path_factory.mktemp("photographs")
    for label in range(CLASSES):
        (folder / "train" / f"class{label}").mkdir(parents=True)
        (folder / "validation" / f"class{label}").mkdir(parents=True)
    for label, image in zip(LABELS, _photographs(), strict=True):
        path = folder / "validation" / f"class{label}" / "1.png"
        Image.fromarray(image).save(path)
    return datasets.load(f"folder:{folder}", "validation")


@pytest.fixture(scope="module")
def split(files):
    """The same split with decoded pixels: decoding takes most of the time."""
    pixels = tf.stack([tf.io.serialize_tensor(p) for p in _in_order()])

    def read(index):
        image = tf.io.parse_tensor(pixels[index], tf.uint8)
        label = tf.constant(sorted(LABELS))[index]
        return tf.ensure_shape(image, (None, None, 3)), label

    return dataclasses.replace(files, read=read)


def _in_order():
    """The photographs as their files are read: class by class."""
    images = _photographs()
    return [images[LABELS.index(label)] for label in sorted(LABELS)]


def _build(input_shape, **choices):
    small = {"depths": (1, 1), "filters": (16, 16), "shortcut": "A"}
    choices = {**small, "classes": CLASSES, **choices}
    return keras_resnet.build("resnet20", input_shape=input_shape, **choices)


@functools.cache  # no test changes one
def _network(size=16, seed=0, **choices):
    """Random, but so sure that mean logits and mean probabilities differ."""
    keras.utils.set_random_seed(seed)
    model = _build((size, size, 3), **choices)
    kernel = model.get_layer("logits").kernel
    kernel.assign(6 * kernel)
    return model


def _member(view=SIZES, **choices):
    model = _network(view.crop, **choices)
    return views.Member(model=model, view=view)


@functools.cache
def _for_any_size(model):
    """A new network for any size, made without the function under test."""
    anew = _build((None, None, 3))
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
    crops = _center(image, sizes)
    crops += [image[:n, :n], image[:n, -n:], image[-n:, :n], image[-n:, -n:]]
    return crops + [crop[:, ::-1] for crop in crops]


def _multi_scale(image, sizes):
    images = [_resized(image, scale) for scale in sizes.scales]
    return images + [image[:, ::-1] for image in images]


DEFINITIONS = {
    "center": _center,
    "ten_crop": _ten_crop,
    "multi_scale": _multi_scale,
}


@functools.cache
def _of_the_files(member, view):
    """`_probabilities` of all files, in their order."""
    return _probabilities(member, view, _in_order())


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


def _evaluate(members, split, view, batch_size=20):
    device = distribution.make_strategy("one_device")
    return views.evaluate(
        members, device, split, views=view, batch_size=batch_size
    )


def test_the_tables_are_complete():
    assert list(DEFINITIONS) == list(pixels.VIEWS)


def test_scales_are_the_papers_or_in_proportion():
    assert pixels.scales_for(224) == (224, 256, 384, 480, 640)
    assert pixels.scales_for(32) == (32, 37, 55, 69, 91)
    assert pixels.scales_for(16)[0] == 16


def test_errors_are_those_of_the_mean_probabilities(files):
    each, together = _evaluate([_member()], files, "center", 4)
    _assert_metrics(each, _of_the_files(_member(), "center"))
    assert together == each


def test_a_fixed_batch_and_a_larger_crop_than_the_networks_are_evaluated(split):
    """A crop of 23 on a network for 16 is like P2 Table 5's 320 on 224."""
    free = _member()
    image = keras.Input(batch_shape=(4, SIZES.crop, SIZES.crop, 3))
    fixed = keras.models.clone_model(free.model, input_tensors=image)
    fixed.set_weights(free.model.get_weights())
    larger = views.Member(model=free.model, view=View(resize=23, crop=23))
    members = [views.Member(model=fixed, view=SIZES), larger]
    *each, _ = _evaluate(members, split, "center", 3)
    for measured, seen in zip(each, (free, larger), strict=True):
        _assert_metrics(measured, _of_the_files(seen, "center"))
    assert each[0].loss != each[1].loss


def test_an_ensemble_is_the_mean_of_its_networks(split):
    members = [_member(), _member(seed=1), _member(OTHER_SIZES)]
    *each, together = _evaluate(members, split, "ten_crop", batch_size=20)
    expected = [_of_the_files(member, "ten_crop") for member in members]
    for measured, probabilities in zip(each, expected, strict=True):
        _assert_metrics(measured, probabilities)
    _assert_metrics(together, np.mean(expected, axis=0))
    losses = [measured.loss for measured in each]
    assert len({*losses, together.loss}) == 4


def _assert_multi_scale(strategy, split, members, like):
    """`like` are the same networks on one device."""
    *each, together = views.evaluate(
        members, strategy, split, views="multi_scale", batch_size=100
    )
    expected = [_of_the_files(member, "multi_scale") for member in like]
    for measured, probabilities in zip(each, expected, strict=True):
        _assert_metrics(measured, probabilities)
    _assert_metrics(together, np.mean(expected, axis=0))


def test_two_devices_give_what_one_gives(split):
    like = [_member(), _member(OTHER_SIZES)]
    strategy = distribution.make_strategy("mirrored", 2)
    with strategy.scope():
        members = [
            views.Member(model=_network.__wrapped__(m.view.crop), view=m.view)
            for m in like
        ]
    _assert_multi_scale(strategy, split, members, like)


def test_the_network_is_traced_once_for_all_sizes(split, monkeypatch):
    calls, original = [], views.log_probabilities

    def counted(*args):
        calls.append(args)
        return original(*args)

    monkeypatch.setattr(views, "log_probabilities", counted)
    device = distribution.make_strategy("one_device")
    _assert_multi_scale(device, split, [_member()], [_member()])
    assert len(calls) == 1


@pytest.mark.parametrize("view, images", [("center", 40), ("ten_crop", 4)])
def test_a_batch_holds_no_more_views_than_asked_for(view, images):
    row = pixels.VIEWS[view]
    assert row.images_at_once(40) == images
    assert row.images_at_once(40) * row.number <= 40
    assert row.images_at_once(1) == 1


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
        "resnet50_v2", depths=(1, 1), filters=(4, 4), classes=5
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
    assert maps.shape[1:3] == (30, 45)
    kernel, bias = (np.asarray(w) for w in classifier.get_weights())
    dense = maps @ kernel + bias
    ours = np.asarray(views.any_size(keras_resnet.logits(model))(image))
    np.testing.assert_allclose(ours, dense.mean(axis=(1, 2)), rtol=1e-4)
    # Windows of the training size count the border less often.
    windows = np.lib.stride_tricks.sliding_window_view(dense, (8, 8), (1, 2))
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
        _evaluate([_member(sizes)], split, view)


def test_an_unreadable_image_is_named(tmp_path):
    for folder in ("train/a", "validation/a"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / folder / "1.png")
    (tmp_path / "validation/a/2.png").write_text("no image")
    split = datasets.load(f"folder:{tmp_path}", "validation")
    with pytest.raises(errors.UsageError, match="2.png"):
        _evaluate([_member()], split, "center")
