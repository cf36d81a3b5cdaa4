"""A step on two devices equals a step on one device, and what BN does."""

import dataclasses
import functools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

import keras_resnet
from keras_resnet import optimizers
from keras_resnet import recipes
from keras_resnet.networks import network
from keras_resnet.networks import specs
from keras_resnet.training import batch_norm
from keras_resnet.training import distribution
from keras_resnet.training import loss_scale
from keras_resnet.training import losses
from keras_resnet.training import mixing
from keras_resnet.training import step

BATCH = 12

# ResNet-8 without any BN in its rows.
WITHOUT_BN = {
    "stem": dataclasses.replace(specs.STEMS["cifar"], ops=("conv", "relu")),
    "placement": specs.Placement(between=("relu",), after_add=("relu",)),
}

MIXED = recipes.load(
    "digits",
    {
        "mixup_alpha": 1.0,
        "cutmix_alpha": 1.0,
        "loss": "binary",
        "teacher": "of the step",
        "label_smoothing": 0.1,
    },
)

SPLIT = types.SimpleNamespace(multi_label=False)

# ResNet-4 with one BN, the stem's.
TINY = {
    "depths": (1,),
    "filters": (16,),
    "placement": WITHOUT_BN["placement"],
}


@pytest.fixture(scope="module")
def strategies():
    return {
        1: distribution.make_strategy("one_device"),
        2: distribution.make_strategy("mirrored", devices=2),
    }


def _batch(seed=0, weight=None):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(256, size=(BATCH, 8, 8, 3)).astype(np.uint8),
        "label": rng.integers(10, size=BATCH).astype(np.int32),
        "weight": np.ones(BATCH, "f") if weight is None else weight,
    }


class _Training:
    """A network and its step, which is traced once for all batches."""

    def __init__(self, strategy, options, sgd, choices):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            self.model = model = keras_resnet.build(
                "resnet20", input_shape=(8, 8, 3), **choices
            )
            optimizer = sgd(learning_rate=0.1)
            optimizer.build(model.trainable_variables)
            if options.get("teacher"):
                keras.utils.set_random_seed(1)
                self.teacher = keras_resnet.build(
                    "resnet20", input_shape=(8, 8, 3), **choices
                )
                logits = keras_resnet.logits(self.teacher)
                options = {**options, "teacher": logits}
        self._strategy, self._mixes = strategy, options.get("mixes")
        self._step = step.make_train_step(strategy, model, optimizer, **options)
        self._start = [
            (copy, copy.numpy())
            for variable in (*model.variables, *optimizer.variables)
            for copy in strategy.experimental_local_results(variable.value)
        ]

    def run(self, batches, first_step=0, first_mix=0):
        """({path: array}, sums) after the batches, from the initial weights."""
        for variable, value in self._start:
            variable.assign(value)
        sums = []
        for number, batch in enumerate(self._distributed(batches)):
            at = tf.constant(first_step + number, tf.int64)
            self._batch = batch = {**batch, "step": at}
            if self._mixes:
                numbers = mixing.draw(MIXED, first_mix + number)
                batch["mix"] = tf.constant(numbers)
            sums.append(np.asarray(self._step(batch)))
        return _arrays(self.model), sums

    def convolutions(self):
        """How many convolutions the graph of the last batch has."""
        graph = self._step.get_concrete_function(self._batch).graph
        graph = graph.as_graph_def()
        nodes = [
            *graph.node,
            *(n for f in graph.library.function for n in f.node_def),
        ]
        return sum(node.op.startswith("Conv2D") for node in nodes)

    def _distributed(self, batches):
        if not batches:
            return ()
        joined = {
            key: np.concatenate([batch[key] for batch in batches])
            for key in batches[0]
        }
        dataset = tf.data.Dataset.from_tensor_slices(joined)
        dataset = dataset.batch(BATCH, drop_remainder=True)
        return self._strategy.experimental_distribute_dataset(dataset)


@functools.cache
def _made(strategy, options, sgd, choices):
    return _Training(strategy, dict(options), sgd, dict(choices))


def _training(strategy, options=None, sgd=optimizers.SGD, **choices):
    """The `_Training` that tests with the same arguments share."""
    options = frozenset((options or {}).items())
    return _made(strategy, options, sgd, frozenset(choices.items()))


def _run(strategy, batches, *options, **choices):
    return _training(strategy, *options, **choices).run(batches)


def _arrays(model):
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.variables}


def _distance(one, other, but=" "):
    ours, theirs = (
        {path: value for path, value in arrays.items() if but not in path}
        for arrays in (one, other)
    )
    assert ours.keys() == theirs.keys()
    return max(np.abs(ours[path] - theirs[path]).max() for path in ours)


def _double():
    """A batch whose halves are equal."""
    half = {key: value[: BATCH // 2] for key, value in _batch().items()}
    return {key: np.concatenate([v, v]) for key, v in half.items()}


def test_bn_normalises_each_device_by_its_own_batch(strategies):
    """As in the papers: 32 images a GPU on ImageNet, 64 on CIFAR."""
    one, _ = _run(strategies[1], [_batch()], **TINY)
    two, _ = _run(strategies[2], [_batch()], **TINY)
    assert _distance(one, two) > 1e-4
    # With the same images on both devices the results agree.
    one, _ = _run(strategies[1], [_double()], **TINY)
    two, _ = _run(strategies[2], [_double()], **TINY)
    assert _distance(one, two) < 2e-6


def test_the_loss_divides_by_the_valid_examples_of_the_global_batch(
    strategies,
):
    # All valid examples are on one device; the masked labels are changed.
    masked = {**_double(), "weight": np.array([1] * 6 + [0] * 6, "f")}
    changed = {**masked, "label": np.roll(masked["label"], 1)}
    changed["label"][:6] = masked["label"][:6]
    one, sums = _run(strategies[1], [masked], **TINY)
    two, _ = _run(strategies[2], [changed], **TINY)
    assert sums[0][3] == 6
    assert _distance(one, two) < 2e-6


def _replicas(variable):
    return [value.numpy() for value in variable.value.values]


def test_moving_statistics_are_averaged_over_the_devices(strategies):
    strategy = strategies[2]
    training = _training(strategy, **TINY)
    training.run([_batch(0), _batch(1)])
    model = training.model
    statistics = [v for v in model.variables if v.name.startswith("moving")]
    before = [_replicas(variable) for variable in statistics]
    # Keras 3 keeps one copy per device. The copies differ, hence the average.
    assert any(np.abs(a - b).max() > 1e-3 for a, b in before)
    batch_norm.make_sync(strategy, model)()
    for variable, copies in zip(statistics, before, strict=True):
        for copy in _replicas(variable):
            np.testing.assert_allclose(
                copy, np.mean(copies, axis=0), rtol=1e-5, atol=1e-6
            )


# The last micro-batch of each device is masked.
WEIGHTED = [_batch(i, np.array([1, 0, 1, 1, 0, 0] * 2, "f")) for i in range(3)]


# With a small epsilon Adam divides by tiny roots and magnifies rounding.
_ADAMW = functools.partial(
    optimizers.AdamW, epsilon=1e-2, clip_norm=0.1, weight_decay_rate=0.1
)
_BINARY = losses.of_recipe(MIXED, SPLIT)


def _noisy(logits, batch):
    """Multiplies each example's loss by its own random number."""
    tf.debugging.assert_equal(batch["seed"][:, 0], np.int64(7))
    noise = tf.map_fn(
        lambda seed: tf.random.stateless_uniform((), seed),
        batch["seed"],
        fn_output_signature=tf.float32,
    )
    return noise * _BINARY(logits, batch)


def test_all_of_later_practice_on_devices_and_micro_batches_is_the_whole(
    strategies,
):
    """Mixing, binary loss, a teacher, AdamW, clipping, and draws.

    A loss and stochastic depth draw for each example separately.
    """
    options = {"mixes": 2, "teacher": True, "loss": _noisy, "seed": 7}
    # Examples skip half of the units.
    choices = {**TINY, **WITHOUT_BN, "stochastic_depth": 0.5}
    one = _training(strategies[1], options, _ADAMW, **choices)
    whole, sums = one.run(WEIGHTED)
    assert not any("bn" in path for path in whole)
    options["gradient_accumulation_steps"] = 3
    parts, part_sums = _run(
        strategies[2], WEIGHTED, options, _ADAMW, remat=True, **choices
    )
    # The generators for calls without seeds start at random.
    distance = functools.partial(_distance, whole, but="seed_generator")
    assert distance(parts) < 5e-6
    np.testing.assert_allclose(sums, part_sums, rtol=1e-5)
    # Negative controls: other draws (the sums show those of stochastic depth),
    # other mixing numbers, another teacher.
    drawn, drawn_sums = one.run(WEIGHTED, first_step=1)
    assert distance(drawn) > 1e-4
    assert np.abs(sums[0] - drawn_sums[0]).max() > 1e-3
    assert distance(one.run(WEIGHTED, first_mix=1)[0]) > 1e-4
    for variable in one.teacher.trainable_variables:
        variable.assign(2 * variable)
    assert distance(one.run(WEIGHTED)[0]) > 1e-4


def test_micro_batches_have_the_bn_of_as_many_devices(strategies):
    batches = [_batch(i) for i in range(3)]
    options = {"gradient_accumulation_steps": 2}
    parted = _training(strategies[1], options, **TINY)
    micro, _ = parted.run(batches)
    two, _ = _run(strategies[2], batches, **TINY)
    assert _distance(micro, two, but="moving") < 2e-6
    one = _training(strategies[1], **TINY)
    whole, _ = one.run(batches)
    assert _distance(micro, whole, but="moving") > 1e-4
    # Micro-batches are a loop in the graph, not copies.
    assert parted.convolutions() == one.convolutions() > 0


@pytest.mark.large
def test_xla_computes_the_same_to_rounding(strategies):
    batches = [_batch(i) for i in range(2)]
    options = {"jit_compile": True, "gradient_accumulation_steps": 2}
    compiled, xla_sums = _run(strategies[1], batches, options, **TINY)
    options = {**options, "jit_compile": False}
    plain, sums = _run(strategies[1], batches, options, **TINY)
    np.testing.assert_allclose(sums, xla_sums, rtol=1e-5)
    assert _distance(plain, compiled) < 1e-5


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_labels_are_smoothed_as_published(smoothing):
    """Szegedy et al. 2016, sec. 7: q = (1 - e) onehot + e / K."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 10)).astype("f") * 3
    label = rng.integers(10, size=6).astype(np.int32)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = (1 - smoothing) * np.eye(10)[label] + smoothing / 10
    found = losses.cross_entropy(smoothing)(logits, {"label": label})
    np.testing.assert_allclose(found, -(target * log_p).sum(1), rtol=1e-5)
    kerass = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing
    )
    np.testing.assert_allclose(
        np.mean(found), kerass(np.eye(10)[label], logits), rtol=1e-5
    )


def test_smoothing_changes_the_weights_and_not_the_loss_that_is_reported(
    strategies,
):
    choices = {**TINY, **WITHOUT_BN}
    plain, sums = _run(strategies[1], [_batch()], **choices)
    options = {"loss": losses.cross_entropy(0.1)}
    smooth, smooth_sums = _run(strategies[1], [_batch()], options, **choices)
    np.testing.assert_array_equal(sums, smooth_sums)
    assert _distance(plain, smooth) > 1e-4


@pytest.mark.parametrize(
    "dtype, sgd, tolerance",
    [
        # A CPU adds up the products of float16 in float16.
        ("mixed_float16", loss_scale.LossScaledSGD, 0.05),
        # bfloat16 has 8 significant bits.
        ("mixed_bfloat16", optimizers.SGD, 0.1),
    ],
)
def test_half_precision_takes_the_same_step(strategies, dtype, sgd, tolerance):
    one, choices = strategies[1], {**TINY, **WITHOUT_BN}
    start, _ = _run(one, [], **choices)
    full, sums = _run(one, [_batch()], **choices)
    half, half_sums = _run(one, [_batch()], sgd=sgd, dtype=dtype, **choices)
    assert all(array.dtype == np.float32 for array in half.values())
    np.testing.assert_allclose(half_sums[0][0], sums[0][0], rtol=0.01)
    for path, value in start.items():
        ours, expected = half[path] - value, full[path] - value
        error = np.linalg.norm(ours - expected)
        assert error <= tolerance * np.linalg.norm(expected), path


def test_the_graph_of_a_deep_network_is_run_as_it_was_traced(
    strategies, monkeypatch
):
    """It trains the same as a graph that TensorFlow has rewritten."""
    # Trace two equal units as one function already, not only nine.
    monkeypatch.setattr(network, "_SHARED_UNITS", 2)
    found, shares = [], []
    for as_traced in (step._as_traced, lambda rewritten: rewritten):
        monkeypatch.setattr(step, "_as_traced", as_traced)
        context.context().enable_graph_collection()
        try:
            choices = {"depths": (2,), "filters": (16,)}
            arrays, sums = _Training(
                strategies[1], {}, optimizers.SGD, choices
            ).run([_batch()])
            graphs = context.context().export_run_metadata().function_graphs
        finally:
            context.context().disable_graph_collection()
        found.append([*sums, *arrays.values()])
        before = max(len(g.pre_optimization_graph.node) for g in graphs)
        after = max(len(g.post_optimization_graph.node) for g in graphs)
        shares.append(after / before)
    assert shares[1] < 0.95 < shares[0]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    known = tf.config.optimizer.get_experimental_options()
    assert not known.get("disable_meta_optimizer")
