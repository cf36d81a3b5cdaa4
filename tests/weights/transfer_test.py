"""Freezing, discriminative rates, new heads, grey images."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_weights import arrays

import keras_resnet
from keras_resnet import errors
from keras_resnet import optimizers
from keras_resnet.training import batch_norm
from keras_resnet.training import distribution
from keras_resnet.training import step
from keras_resnet.weights import transfer

TINY = {"depths": (1, 1, 1), "input_shape": (12, 12, 3)}
ONE_UNIT = {"depths": (1,), "filters": (16,)}
# Every list of sub-layers that a unit can hold.
NETWORKS = {
    "original": {"shortcut": "B"},
    "full_preact": {"shortcut": "C", "placement": "full_preact"},
    "bn_after_add": {"shortcut": "A", "placement": "bn_after_add"},
    "gating": {"shortcut": "exclusive_gating"},
}


def _build(**choices):
    keras.utils.set_random_seed(0)
    model = keras_resnet.build("resnet20", **{**TINY, **choices})
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "moving" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


# The same model each time; tests may freeze it but not train it.
_shared = functools.cache(_build)


def _images(*shape, seed=0):
    return np.random.default_rng(seed).integers(256, size=shape, dtype="uint8")


def _trainable(model):
    return [v.path for v in model.trainable_variables]


def _is_weight(path):
    return path.rsplit("/")[-1] not in (
        "mean", "std", "moving_mean", "moving_variance",
    )  # fmt: skip


@pytest.mark.parametrize("choices", NETWORKS.values(), ids=NETWORKS)
def test_exactly_what_stands_after_the_stage_trains(choices):
    model = _shared(**choices)
    for until, parts in {
        None: ("stem", "stage1", "stage2", "stage3", "final", "logits"),
        "stem": ("stage1", "stage2", "stage3", "final", "logits"),
        "stage1": ("stage2", "stage3", "final", "logits"),
        "stage3": ("final", "logits"),
        "head": ("logits",),
    }.items():
        keras_resnet.freeze(model, None)
        expected = [
            v.path
            for v in model.variables
            if v.path.startswith(parts) and _is_weight(v.path)
        ]
        keras_resnet.freeze(model, until, batch_norm=False)
        assert _trainable(model) == expected
        keras_resnet.freeze(model, until, batch_norm=True)
        assert _trainable(model) == [
            path for path in expected if not path.endswith(("gamma", "beta"))
        ]


def test_the_last_call_describes_the_whole_network():
    model = _build()
    everything = _trainable(model)
    keras_resnet.freeze(model, "head")
    keras_resnet.freeze(model, "stage1", batch_norm=False)
    assert _trainable(model)[0] == "stage2_unit1/conv1/kernel"
    keras_resnet.freeze(model, None, batch_norm=True)
    keras_resnet.freeze(model, None)
    assert _trainable(model) == everything
    model.trainable = False
    keras_resnet.freeze(model, None)
    assert _trainable(model) == everything


@pytest.mark.parametrize("choices", NETWORKS.values(), ids=NETWORKS)
def test_a_frozen_network_is_in_inference_mode_while_it_trains(choices):
    model, images = _shared(**choices), _images(4, 12, 12, 3)
    keras_resnet.freeze(model, None)
    before, weights = arrays(model), model.get_weights()
    inference = np.asarray(model(images, training=False))
    assert np.abs(model(images, training=True) - inference).max() > 1e-3
    model.set_weights(weights)
    keras_resnet.freeze(model, None, batch_norm=True)
    training = np.asarray(model(images, training=True))
    np.testing.assert_array_equal(training, inference)
    for path, value in arrays(model).items():
        np.testing.assert_array_equal(value, before[path], path)


def test_statistics_move_only_after_the_frozen_stages():
    model = _build()
    before = arrays(model)
    keras_resnet.freeze(model, "stage2", batch_norm=False)
    model(_images(4, 12, 12, 3), training=True)
    after = arrays(model)
    moved = {p.split("_")[0] for p in before if (before[p] != after[p]).any()}
    assert moved == {"stage3"}


def test_a_step_changes_only_what_trains_and_frozen_weights_have_no_slots():
    strategy = distribution.make_strategy("mirrored", devices=2)
    with strategy.scope():
        model = _build(depths=(1, 1), filters=(16, 32))
        keras_resnet.freeze(model, "stage1")
        optimizer = optimizers.SGD(l2=0.1)
        optimizer.build(model.trainable_variables)
    slots = [v.path for v in optimizer.variables if "_unit" in v.path]
    assert slots and all("stage2" in path for path in slots)
    before = arrays(model)
    batch = {
        "image": _images(4, 12, 12, 3),
        "label": np.arange(4, dtype="int32"),
        "weight": np.ones(4, "f"),
    }
    data = tf.data.Dataset.from_tensors(batch).unbatch().batch(4)
    train_step = step.make_train_step(strategy, model, optimizer)
    for batch in strategy.experimental_distribute_dataset(data):
        train_step(batch)
    batch_norm.make_sync(strategy, model)()
    after = arrays(model)
    changed = {p for p in before if (before[p] != after[p]).any()}
    assert changed == set(_trainable(model))


def test_an_unknown_part_names_the_nearest():
    with pytest.raises(errors.UsageError, match="'stage4'.*mean 'stage3'"):
        keras_resnet.freeze(_shared(), "stage4")
    image = keras.Input((3,))
    other = keras.Model(image, keras.layers.Dense(2)(image), name="mine")
    with pytest.raises(errors.UsageError, match="Received: 'mine'"):
        keras_resnet.freeze(other, "stem")


def test_a_network_without_its_top_and_with_another_one_is_frozen_too():
    body = _build(include_top=False, pooling="avg")
    model = keras.Model(
        body.input, keras.layers.Dense(2, name="mine")(body.output)
    )
    keras_resnet.freeze(model, "head")
    assert _trainable(model) == ["mine/kernel", "mine/bias"]


def test_each_stage_towards_the_stem_is_slower():
    assert transfer.rate_multipliers(_shared(), head=10, stage_decay=0.5) == {
        "stage2_": 0.5, "stage1_": 0.25, "stem/": 0.125, "logits/": 10,
    }  # fmt: skip
    assert transfer.rate_multipliers(_shared()) == {}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("donor")
    donor = _build(classes=7)
    donor.save(folder / "model.keras")
    donor.save_weights(folder / "model.weights.h5")
    return folder, arrays(donor)


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_a_body_is_loaded_under_a_new_head(files, name):
    folder, donor = files
    keras.utils.set_random_seed(5)
    model = keras_resnet.build("resnet20", **TINY, classes=2)
    new_head = arrays(model)["logits/kernel"]
    transfer.load_body(model, folder / name)
    for path, value in arrays(model).items():
        expected = donor[path] if "logits" not in path else value
        np.testing.assert_array_equal(value, expected, path)
    np.testing.assert_array_equal(arrays(model)["logits/kernel"], new_head)


def test_a_body_of_another_network_is_refused_by_the_name_of_its_file(files):
    model = _build(depths=(1, 1, 2))
    before = arrays(model)
    with pytest.raises(errors.UsageError, match="donor.*/model.keras.*differ"):
        transfer.load_body(model, files[0] / "model.keras")
    for path, value in arrays(model).items():
        np.testing.assert_array_equal(value, before[path], path)


@pytest.mark.parametrize("variant", ["original", "full_preact"])
def test_grey_is_exact_where_the_means_are_equal(variant):
    choices = {**ONE_UNIT, **NETWORKS[variant]}
    std = (63.0, 62.1, 66.7)
    rgb = _build(pixel_mean=(120.0,) * 3, pixel_std=std, **choices)
    choices["input_shape"] = (12, 12, 1)
    grey = _build(pixel_mean=(0.0,), pixel_std=(1.0,), **choices)
    transfer.grey_from_rgb(grey, rgb)
    images = _images(4, 12, 12, 1)
    np.testing.assert_allclose(
        keras_resnet.logits(grey)(images),
        keras_resnet.logits(rgb)(np.repeat(images, 3, axis=-1)),
        atol=2e-5,
    )


@pytest.mark.parametrize(
    "stem, size, border", [("cifar", 12, 1), ("imagenet", 32, 2)]
)
def test_grey_is_exact_inside_where_the_means_differ(stem, size, border):
    choices = {**ONE_UNIT, "stem": stem, "shortcut": "B"}
    choices["input_shape"] = (size, size, 3)
    rgb = _build(pixel_mean=(125.3, 123.0, 90.0), **choices)
    grey = _build(**{**choices, "input_shape": (size, size, 1)})
    transfer.grey_from_rgb(grey, rgb)
    images = _images(2, size, size, 1)

    def first_bn(model, pixels):
        x = model.get_layer("pixels")(pixels)
        for layer in model.get_layer("stem").layers:
            x = layer(x)
            if layer.name == "bn1":
                return np.asarray(x)

    ours = first_bn(grey, images)
    theirs = first_bn(rgb, np.repeat(images, 3, axis=-1))
    inside = np.s_[:, border:-border, border:-border]
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=2e-5)
    assert np.abs(ours - theirs).max() > 1e-2  # the border


def test_grey_of_a_known_kernel():
    kernel = np.array([1.0, 2.0, 4.0]).reshape(1, 1, 3, 1)
    # (g - 10) / 1 + 2 (g - 20) / 2 + 4 (g - 40) / 4 = 3 g - 70
    grey, mean, std, shift = transfer.grey_kernel(
        kernel, (10, 20, 40), (1, 2, 4)
    )
    slope = grey[0, 0, 0, 0] / std[0]
    assert slope == pytest.approx(3)
    assert -slope * mean[0] - shift[0] == pytest.approx(-70)


def test_grey_refuses_another_network():
    grey = _build(input_shape=(12, 12, 1), depths=(1, 1, 2))
    with pytest.raises(errors.UsageError, match="differ in stage3_unit2"):
        transfer.grey_from_rgb(grey, _shared())
