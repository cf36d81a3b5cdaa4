"""Networks are the same whatever keras.json and `keras.config` say."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.networks import specs

# Networks of two stages use each row of each table at least once. Of shortcuts
# that differ only in a number, one is used.
_TABLES = {
    "stem": specs.STEMS,
    "block": specs.BLOCKS,
    "placement": specs.PLACEMENTS,
    "shortcut": {
        name: row
        for name, row in specs.SHORTCUTS.items()
        if "_bias_" not in name and "_branch_" not in name
    },
}
_HEADS = (
    {},
    {"include_top": False, "pooling": "max"},
    {"include_top": False, "pooling": "avg"},
    {"include_top": False},
    {"classifier_activation": None},
)
_COUNT = max(map(len, _TABLES.values()))
NETWORKS = [
    {**dict(zip(_TABLES, row, strict=True)), **head}
    for *row, head in itertools.islice(
        zip(*map(itertools.cycle, (*_TABLES.values(), _HEADS))), _COUNT
    )
]

# name -> (its setter, the value to set, the usual value).
SETTINGS = {
    "image_data_format": (
        keras.config.set_image_data_format,
        "channels_first",
        "channels_last",
    ),
    "floatx 16": (keras.config.set_floatx, "float16", "float32"),
    "floatx 64": (keras.config.set_floatx, "float64", "float32"),
    "epsilon": (keras.config.set_epsilon, 0.5, 1e-7),
    "dtype_policy": (
        keras.config.set_dtype_policy,
        "mixed_bfloat16",
        "float32",
    ),
}


@pytest.fixture
def setting():
    """A function that applies a setting until the test ends."""
    before = keras.config.dtype_policy()

    def use(name):
        change, value, _ = SETTINGS[name]
        change(value)

    yield use
    for change, _, usual in SETTINGS.values():
        change(usual)
    keras.config.set_dtype_policy(before)


def build(choices):
    """A tiny network with seeded weights and BN statistics."""
    keras.utils.set_random_seed(0)
    # Option A needs a stem that is not wider than the stages.
    stem = specs.STEMS[choices["stem"]]
    narrow = tuple((4, *rest) for _, *rest in stem.convolutions)
    stem = dataclasses.replace(stem, convolutions=narrow)
    groups = specs.BLOCKS[choices["block"]].groups
    model = keras_resnet.build(
        "resnet20",
        depths=(1, 1),
        filters=(4, 6) if groups == 1 else (groups // 2, groups),
        input_shape=(16, 12, 3),
        dtype="float32",
        **{"classes": 3, **choices, "stem": stem},
    )
    for seed, weight in enumerate(model.non_trainable_weights[2:]):
        values = np.random.default_rng(seed).uniform(0.5, 1.5, weight.shape)
        # Moving means are below 0, so that no ReLU is 0 everywhere.
        weight.assign(-values if weight.name == "moving_mean" else values)
    return model


def answer(model):
    """A network's output for float pixels that float16 cannot represent."""
    rng = np.random.default_rng(0)
    return np.asarray(model(rng.uniform(0, 255, (2, 16, 12, 3))))


def facts(model):
    """Answer, shapes and dtypes of a model."""
    shapes = {v.path: (tuple(v.shape), v.dtype) for v in model.weights}
    return answer(model), shapes, model.inputs[0].dtype


def assert_same(found, wanted):
    np.testing.assert_array_equal(found[0], wanted[0])
    assert np.ptp(wanted[0]) > 1e-3
    assert found[1:] == wanted[1:]


def test_the_networks_have_every_row():
    for kind, table in _TABLES.items():
        assert {network[kind] for network in NETWORKS} == set(table)


@pytest.fixture(scope="module")
def usual():
    return [facts(build(choices)) for choices in NETWORKS]


@pytest.mark.parametrize("number", range(len(NETWORKS)), ids=str)
def test_a_network_is_channels_last_under_channels_first(
    number, usual, setting, tmp_path
):
    setting("image_data_format")
    model = build(NETWORKS[number])
    assert_same(facts(model), usual[number])
    model.save(tmp_path / "model.keras")
    keras.config.set_image_data_format("channels_last")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(facts(loaded), usual[number])


@pytest.mark.parametrize(
    "name, number",
    [("floatx 16", 0), ("floatx 64", 3), ("epsilon", 0), ("dtype_policy", 3)],
)
def test_other_settings_change_nothing_of_a_float32_network(
    name, number, usual, setting
):
    setting(name)
    assert_same(facts(build(NETWORKS[number])), usual[number])


def test_the_settings_change_kerass_own_layers(setting):
    """The negative control: what the tests above set is what Keras reads."""
    x = np.ones((1, 2, 3, 4))
    usual = keras.layers.GlobalMaxPooling2D()(x)
    assert usual.shape == (1, 4) and usual.dtype == "float32"
    for name in SETTINGS:
        setting(name)
    changed = keras.layers.GlobalMaxPooling2D()(x)
    assert changed.shape == (1, 2) and changed.dtype == "bfloat16"
    assert keras.Input((1,)).dtype == "float64"
    assert keras.config.epsilon() == 0.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_without_a_dtype_a_network_has_kerass_policy(setting, dtype):
    setting("dtype_policy")
    keras.config.set_dtype_policy(dtype)
    model = keras_resnet.build("resnet20", depths=(1,), filters=(16,))
    assert model.get_layer("stage1_unit1").dtype_policy.name == dtype
    # Pixels and probabilities are at least float32.
    assert model.inputs[0].dtype == model.outputs[0].dtype == "float32"


@pytest.mark.parametrize("dtype", ["int8", "int32", "foo", "mixed_float32", 5])
def test_a_dtype_that_networks_do_not_have_is_refused(dtype):
    with pytest.raises(keras_resnet.UsageError, match="dtype policy"):
        keras_resnet.build("resnet20", dtype=dtype)


def test_so_is_a_policy_that_is_kerass_setting(setting):
    setting("dtype_policy")
    keras.config.set_dtype_policy("int8_from_float32")
    with pytest.raises(keras_resnet.UsageError, match="int8_from_float32"):
        keras_resnet.build("resnet20")


def test_a_file_of_channels_last_loads_under_channels_first(
    usual, setting, tmp_path
):
    build(NETWORKS[0]).save(tmp_path / "model.keras")
    setting("image_data_format")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(facts(loaded), usual[0])
