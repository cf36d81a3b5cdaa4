"""Counts of costs agree with counts by hand and with TensorFlow's own graph."""

import json
import math

import goldens
import programs
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.networks import specs

sizes = programs.module("reproduction.sizes")
activations = programs.module("reproduction.activations")
cost_rows = programs.module("reproduction.cost_rows")
costs = programs.module("reproduction.costs")
experiments = programs.module("reproduction.experiments")

# One of each kind of block, placement, shortcut, gate and stem.
TINY = {
    "plain": ("plainnet20", {"depths": (2, 1)}),
    "original": ("resnet20", {"depths": (2, 1)}),
    "pre-activation": ("resnet164_v2", {"depths": (2, 1)}),
    "relu before addition": (
        "resnet164_relu_before_add",
        {"depths": (2, 1)},
    ),
    "exclusive gate": ("resnet110_exclusive_gating", {"depths": (2, 1)}),
    "shortcut's gate": ("resnet110_shortcut_only_gating", {"depths": (2, 1)}),
    "scaled": ("resnet110_constant_scaling", {"depths": (2, 1)}),
    "max-pooling": ("resnet50", {"depths": (1, 1)}),
    "edges": ("resnet50_v2_timm", {"depths": (1, 1)}),
    "biases": ("resnet50_v2_keras", {"depths": (2, 2)}),
    "pooled shortcut": ("resnet18_d", {"depths": (1, 1)}),
}


def build(name):
    variant, choices = TINY[name]
    filters = specs.VARIANTS[variant].filters[:2]
    return keras_resnet.build(
        variant, input_shape=(8, 8, 3), filters=filters, **choices
    )


def count(model):
    return activations.count(model.layers, model.input_shape[1:])


def test_activations_are_those_of_the_sum_by_hand():
    model = keras_resnet.build(
        "resnet20", depths=(1, 1, 1), input_shape=(8, 8, 3)
    )
    # Each unit keeps BN's input and ReLU's output, twice.
    first, second, third = (4 * n for n in (8 * 8 * 16, 4 * 4 * 32, 2 * 2 * 64))
    padded = 10 * 10 * 16, 6 * 6 * 32
    stem = 8 * 8 * 3 + 2 * 8 * 8 * 16
    pooled = 64
    assert count(model) == activations.Activations(
        kept=stem + first + padded[0] + second + padded[1] + third + pooled,
        # Inputs of the second and third unit, and all of the first.
        remat=stem + 8 * 8 * 16 + 4 * 4 * 32 + first + pooled,
    )


def read_by_gradients(model):
    """Elements that a graph's backward half reads from its forward half."""
    network = keras_resnet.logits(model)
    values = [v.value for v in network.trainable_variables]

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(network(x, training=True))
        return tape.gradient(loss, values)

    x = tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8)
    graph = gradients.get_concrete_function(x).graph
    backward = [
        op for op in graph.get_operations() if "gradient_tape" in op.name
    ]
    read = {
        t.ref()
        for op in backward
        for t in op.inputs
        if "gradient_tape" not in t.op.name
        and t.dtype.is_floating
        and (t.shape.rank or 0) > 1
        # Not weights, and not the constant factor of a scaled sum.
        # AddN sums the gradients of what two layers read.
        and t.op.type not in ("ReadVariableOp", "Const", "AddN")
    }
    return sum(math.prod(r.deref().shape) for r in read)


@pytest.mark.parametrize("name", TINY)
def test_activations_are_what_tensorflow_keeps(name):
    model = build(name)
    assert count(model).kept == read_by_gradients(model)


def test_it_would_be_seen_if_a_tensor_were_missed(monkeypatch):
    model = build("original")
    monkeypatch.setattr(activations, "_read", lambda layer, x, y: {x})
    assert count(model).kept != read_by_gradients(model)


def test_two_units_stand_for_all():
    model = keras_resnet.build("resnet20")  # three units a stage
    counted = costs.measure("resnet20")
    kept = count(model)
    assert counted["activations_bytes"] == 4 * kept.kept
    assert counted["remat_bytes"] == 4 * kept.remat
    assert counted["parameters"] == sizes.count(model).parameters


@pytest.mark.parametrize("variant", ["resnet1202", "resnet1001_v2"])
def test_parameters_are_published_ones_and_weights_take_thrice_four(variant):
    parameters = goldens.GOLDENS[variant].trainable_parameters
    counted = costs.measure(variant)
    assert counted["parameters"] == parameters
    assert counted["weights_bytes"] == 12 * parameters
    assert counted["remat_bytes"] < counted["activations_bytes"] / 2


def test_the_1001_layers_of_the_paper_are_without_batch_norm():
    # 111 units a stage, each of 4w, w and w channels, w = 16, 32, 64; the first
    # of all reads 16; one more BN in the stem and one at the end.
    normalised = 111 * 6 * (16 + 32 + 64)
    # The first unit of a stage reads what the one before has: 16, 64, 128.
    normalised += (64 - 128) + (128 - 256)
    normalised += -64 + 16 + 256  # the first has no `before`, the stem has one
    parameters = goldens.GOLDENS["resnet1001_v2"].trainable_parameters
    assert (
        costs.beside((parameters - 2 * normalised) / 1e6, "10.2")
        == "10.2"
        != costs.beside(parameters / 1e6, "10.2")
    )


def test_a_count_that_differs_from_the_paper_is_said_to():
    # P1 Table 1 prints 3.8 for 3.858e9: cut, not rounded.
    assert costs.beside(3.857973248, "3.8") == "3.8 (count +1.5 %)"
    assert costs.beside(7.57, "7.6") == "7.6"
    assert costs.beside(1.0, "") == ""


def test_every_network_has_a_row():
    networks = {*specs.VARIANTS, *cost_rows.VGG}
    assert set(cost_rows.COSTS.rows) == networks


def test_152_layers_cost_less_than_vgg_19():
    """P1 secs. 1 and 3.3; the counts are those of docs/results/costs.json."""
    kept = programs.PIPELINES.parent / "docs/results/costs.json"
    found = {r["row"]: r["result"] for r in json.loads(kept.read_text())}
    # 13 and 16 convolutions and three dense layers, by hand.
    dense = 7 * 7 * 512 * 4096 + 4096 * 4096 + 4096 * 1000
    widths = (64, 128, 256, 512, 512)
    for name, depths in (
        ("VGG-16", (2, 2, 3, 3, 3)),
        ("VGG-19", (2, 2, 4, 4, 4)),
    ):
        total, channels = dense, 3
        for stage, (width, depth) in enumerate(zip(widths, depths)):
            for _ in range(depth):
                total += 9 * channels * width * (224 >> stage) ** 2
                channels = width
        assert found[name]["multiply_adds"] == total
    [line] = costs.beside_vgg(found)
    assert "plainnet34 takes 18.6%" in line and "57." in line
    dear = {**found, "resnet152": found["VGG-19"]}
    assert "100.0%" in next(costs.beside_vgg(dear))


def test_the_table_has_a_line_for_each_network_that_was_counted():
    result = {
        "parameters": 10_327_706,
        "multiply_adds": 1_487_849_984,
        "weights_bytes": 123_932_472,
        "activations_bytes": 152_908_800,
        "remat_bytes": 51_655_680,
    }
    records = [{"row": "resnet1001_v2", "result": result}]
    lines = costs.table(cost_rows.COSTS, records).splitlines()
    cells = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert cells == [
        "resnet1001_v2",
        "10.328",
        "10.2 (count +1.3 %)",
        "1.488",
        "",
        "123.9",
        "152.9",
        "51.7",
    ]
    assert len(lines) == 3


def test_a_scale_that_is_left_out_is_quick_where_there_is_one():
    for experiment in experiments.EXPERIMENTS.values():
        if "quick" in experiment.settings:
            assert next(iter(experiment.settings)) == "quick"
