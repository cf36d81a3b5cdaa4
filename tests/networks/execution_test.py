"""How networks are executed in training: faster, smaller, and the same."""

import functools

import backend_functions
import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.networks import layers
from keras_resnet.networks import operations
from keras_resnet.networks import outputs


def _images(*shape, seed=0):
    return np.random.default_rng(seed).normal(2, 3, shape).astype("float32")


def _batch_norm(kind, dtype="float32"):
    layer = kind(**operations.BATCH_NORM, name="bn", dtype=dtype)
    layer.build((None, None, None, 5))
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.uniform(0.5, 2, 5))
    return layer


def _trained(layer, x, signature=None):
    """Output, gradients, moving statistics after one step, as NumPy."""
    target = tf.constant(_images(*x.shape, seed=2), x.dtype)

    @tf.function(input_signature=signature)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(tf.cast(y * target, tf.float32))
        variables = [v.value for v in layer.trainable_variables]
        return y, *tape.gradient(loss, [x, *variables])

    values = [*step(x), layer.moving_mean, layer.moving_variance]
    return [np.asarray(tf.cast(v, tf.float32)) for v in values]


@pytest.mark.parametrize(
    # With one pixel alone rounding is divided by the root of epsilon.
    ("dtype", "atol", "shape"),
    [
        ("float32", 1e-4, (4, 6, 7, 5)),
        ("float32", 1e-4, (2, 1, 1, 5)),
        ("float32", 1e-4, (1, 1, 1, 5)),
        ("mixed_bfloat16", 0.05, (4, 6, 7, 5)),
        ("mixed_bfloat16", 0.05, (1, 1, 1, 5)),
        ("mixed_float16", 0.01, (4, 6, 7, 5)),
        ("mixed_float16", 0.01, (1, 1, 1, 5)),
        ("bfloat16", 0.05, (4, 6, 7, 5)),
        ("bfloat16", 0.05, (1, 1, 1, 5)),
        ("float16", 0.01, (4, 6, 7, 5)),
        ("float16", 0.01, (1, 1, 1, 5)),
    ],
    ids=str,
)
def test_the_fused_kernel_trains_as_keras_does(dtype, atol, shape):
    kinds = (keras.layers.BatchNormalization, operations.BatchNormalization)
    x = tf.cast(_images(*shape), dtype.removeprefix("mixed_"))
    wanted, got = (_trained(_batch_norm(kind, dtype), x) for kind in kinds)
    for a, b in zip(wanted, got, strict=True):
        np.testing.assert_allclose(b, a, atol=atol * max(1, np.abs(a).max()))


def test_the_fused_kernel_knows_no_batch_size_beforehand():
    x = tf.constant(_images(4, 6, 7, 5))
    anything = [tf.TensorSpec((None, None, None, 5))]
    known = _trained(_batch_norm(operations.BatchNormalization), x)
    unknown = _trained(_batch_norm(operations.BatchNormalization), x, anything)
    for a, b in zip(known, unknown, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_training_uses_the_fused_kernel_and_inference_keras():
    model = keras_resnet.build("resnet20", input_shape=(8, 8, 3))
    x = tf.zeros((2, 8, 8, 3), tf.uint8)
    for training, fused in ((True, 19), (False, 0)):
        call = tf.function(model).get_concrete_function(x, training=training)
        ops = [op.type for op in call.graph.get_operations()]
        assert ops.count("FusedBatchNormV3") == fused


@pytest.mark.parametrize(
    ("dtype", "remat"), [("bfloat16", True), ("float16", False)]
)
def test_a_network_of_half_precision_trains(dtype, remat):
    """Weights, statistics, momentum are half; losses are near float32's."""
    losses = []
    for name in ("float32", dtype):
        keras.utils.set_random_seed(0)
        model = keras_resnet.build(
            "resnet20", dtype=name, remat=remat, **backend_functions.SMALL
        )
        kernel = model.get_layer("stage2_unit1").branch[1].kernel
        before = np.asarray(tf.cast(kernel, tf.float32))
        losses.append(backend_functions.fit(model))
        assert np.any(before != np.asarray(tf.cast(kernel, tf.float32)))
        kinds = {v.dtype for v in model.get_layer("stage2_unit1").variables}
        assert kinds == {name}
    wanted, found = losses
    assert wanted[0] - wanted[1] > 0.1
    np.testing.assert_allclose(found, wanted, rtol=0.05)


NETWORKS = {
    "post-activation": ("resnet20", {}),
    "pre-activation": ("resnet164_v2", {}),
    "gated": ("resnet110_exclusive_gating", {}),
    "dropout": ("resnet110_dropout", {"stochastic_depth": 0.5}),
}
# Two equal units and a different one.
SIZES = {"depths": (2, 1), "filters": (16, 32), "input_shape": (8, 8, 3)}


def _network(name, **kwargs):
    variant, choices = NETWORKS[name]
    keras.utils.set_random_seed(0)
    return outputs.logits(
        keras_resnet.build(variant, classes=10, **SIZES, **choices, **kwargs)
    )


def _set(model, **fields):
    for layer in model.layers:
        if isinstance(layer, layers.ResidualUnit):
            for name, value in fields.items():
                setattr(layer, name, value)
    return model


def _steps(model, strategy=None, steps=2):
    """Gradients of the last step and all state after it, as NumPy."""
    strategy = strategy or tf.distribute.get_strategy()
    images = np.random.default_rng(3).integers(0, 256, (steps, 4, 8, 8, 3))
    variables = model.trainable_variables

    def replica(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(x, training=True) ** 2)
        return tape.gradient(loss, [v.value for v in variables])

    step = tf.function(lambda x: strategy.run(replica, (x,)))
    for batch in images:
        gradients = step(tf.constant(batch, tf.uint8))
    gradients = [strategy.experimental_local_results(g)[-1] for g in gradients]
    return [np.asarray(v) for v in (*gradients, *model.non_trainable_variables)]


@functools.cache
def _plain_steps(name):
    return _steps(_network(name))


@pytest.mark.parametrize(
    "name, ways",
    [
        ("post-activation", "remat+shared"),
        ("pre-activation", "remat"),
        ("pre-activation", "shared"),
        ("gated", "remat+shared"),
        ("dropout", "remat"),
        ("dropout", "shared"),
        ("dropout", "remat+shared"),
    ],
)
def test_units_train_the_same_however_they_are_executed(name, ways):
    fields = dict.fromkeys(ways.split("+"), True)
    plain = _plain_steps(name)
    other = _steps(_set(_network(name), **fields))
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5 * np.abs(a).max())


def test_it_would_be_seen_if_statistics_were_updated_twice():
    plain = _steps(_network("post-activation"), steps=1)
    twice = _plain_steps("post-activation")  # of two steps
    assert any(not np.allclose(a, b) for a, b in zip(plain, twice))


@pytest.mark.parametrize(
    "fields", [{}, {"remat": True}, {"shared": True}], ids=str
)
def test_replicas_share_nothing_but_the_definition(fields):
    from keras_resnet.training import distribution

    strategy = distribution.make_strategy("mirrored", devices=2)
    plain = _plain_steps("post-activation")
    with strategy.scope():
        model = _set(_network("post-activation"), **fields)
    replicated = _steps(model, strategy)
    for a, b in zip(plain, replicated, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5 * np.abs(a).max())


def _functions(model):
    x = tf.zeros((2, *model.input_shape[1:]), tf.uint8)
    call = tf.function(lambda x: model(x, training=True))
    graph = call.get_concrete_function(x).graph
    calls = [
        op.get_attr("f").name
        for op in graph.get_operations()
        if op.type.endswith("PartitionedCall")
    ]
    return len(graph.get_operations()), len(calls), len(set(calls))


def test_equal_units_of_deep_networks_are_traced_once():
    deep = {"depths": (12, 1, 1), "input_shape": (8, 8, 3)}
    # Which examples skip a unit is an argument of the function, too.
    model = keras_resnet.build("resnet110", stochastic_depth=0.1, **deep)
    nodes, calls, kinds = _functions(model)
    assert (calls, kinds) == (12, 1)
    more, _, _ = _functions(_set(model, shared=False))
    assert more > 1.4 * nodes


def test_units_that_differ_are_not_mixed_up():
    model = keras_resnet.build(
        "resnet110", depths=(2, 12, 1), input_shape=(8, 8, 3)
    )
    # The first unit of the stage has another stride, and one is frozen.
    model.get_layer("stage2_unit5").trainable = False
    _, calls, kinds = _functions(model)
    assert (calls, kinds) == (12, 3)


def test_rematerialised_units_are_computed_twice():
    counts = {}
    for remat in (False, True):
        model = _network("post-activation", remat=remat)

        @tf.function
        def gradient(x, model=model):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(x, training=True))
            return tape.gradient(
                loss, [v.value for v in model.trainable_variables]
            )

        x = tf.zeros((2, 8, 8, 3), tf.uint8)
        ops = gradient.get_concrete_function(x).graph.get_operations()
        counts[remat] = [op.type for op in ops].count("Conv2D")
    assert counts[True] == counts[False] + 6  # all but the stem's
