"""benchmark.py train and gpu: equal work, and where a step's time goes."""

import os
import pathlib
import subprocess
import sys

import programs
import pytest

import keras_resnet

ROOT = pathlib.Path(__file__).resolve().parents[2]

measure = programs.module("benchmarks.measure")
train_benchmark = programs.module("benchmarks.train_benchmark")
gpu_benchmark = programs.module("benchmarks.gpu_benchmark")
profile = programs.module("benchmarks.step_profile")
convolution_steps = programs.module("benchmarks.convolution_steps")
keras_steps = programs.module("benchmarks.keras_steps")


def test_the_ceiling_has_every_convolution_of_the_network():
    model = keras_resnet.build("resnet50", input_shape=(64, 64, 3), classes=10)
    found = convolution_steps.of_model(model, 2)
    assert len(found) == 53
    total = 2048 * 10  # the classifier
    for c in found:
        _, height, width, _ = c.output
        rows, columns, channels, filters = c.kernel
        total += height * width * rows * columns * channels * filters
    assert total == keras_resnet.multiply_adds(model)
    assert {c.image[0] for c in found} == {2}


def test_the_ceiling_runs_all_of_its_operations():
    """Nothing reads its results; TensorFlow leaves out what is not needed."""
    c = convolution_steps.Convolution(
        image=(1, 8, 8, 3),
        kernel=(3, 3, 3, 3),
        output=(1, 8, 8, 3),
        strides=1,
        padding="SAME",
    )
    step = convolution_steps.one_pass([c, c])
    step()
    timed = profile.operations(profile.record(step))
    counts = {
        kind: row["operations"]
        for kind, row in profile.by_kind(timed, 1).items()
        if kind.startswith("convolutions")
    }
    # The first one's gradient by the pixels is not computed.
    assert list(counts.values()) == [2, 2, 1]


def test_time_inside_another_event_counts_once():
    events = [(0, 10, "a"), (2, 3, "b"), (2, 1, "c"), (6, 4, "b"), (12, 1, "a")]
    own = {}
    for name, milliseconds in profile.own_times(events):
        own[name] = own.get(name, 0) + milliseconds
    assert own == {"a": 3 + 1, "b": 2 + 4, "c": 1}


@pytest.mark.parametrize(
    "name, kind",
    [
        ("a/conv1_1/convolution:_MklNativeConv2D", "convolutions, forward"),
        ("x:Conv2DBackpropFilter", "convolutions, gradients by the kernels"),
        ("gradient_tape/s/bn2_1/mul:Mul", "batch normalisation"),
        ("a/shortcut_bn_1/FusedBatchNormV3:F", "batch normalisation"),
        ("sgd/Mul_334/ReadVariableOp:ReadVariableOp", "optimiser"),
        ("gradient_tape/a/relu1_1/ReluGrad:ReluGrad", "ReLU"),
        ("AddN_91:AddN", "sums of branches and of gradients"),
        ("ExecutorState::Process", "scheduling"),
        ("a/logits_1/MatMul:_MklMatMul", "other"),
    ],
)
def test_an_operation_is_of_one_kind(name, kind):
    sums = profile.by_kind([(name, 6.0)], steps=2)
    assert sums.pop(kind) == {"milliseconds": 3, "operations": 0.5}
    assert not any(row["operations"] for row in sums.values())


def test_our_contender_is_the_step_that_trains():
    build = keras_steps.ours(32, 2, variant="resnet20", classes=10)
    ticks = []
    build()(2, lambda: ticks.append(1))
    assert len(ticks) == 2


def test_the_networks_that_are_compared_have_the_same_multiply_adds():
    """torchvision's strides are elsewhere; its row has one of ours for it."""
    ours, theirs = (
        keras_resnet.multiply_adds(keras_resnet.build(name), 160)
        for name in ("resnet50", "resnet50_v1_5")
    )
    assert theirs / ours == pytest.approx(1.06, abs=0.005)
    _, choices = train_benchmark.CONTENDERS["ours, strides as torchvision"]
    assert choices["variant"] == "resnet50_v1_5" == gpu_benchmark.VARIANT


def test_a_gpus_share_is_of_the_matrix_products_rate():
    rounds = {
        name: [
            measure.Round(images=10, steps=1, cpu_seconds=1, wall_seconds=wall)
        ]
        for name, wall in (
            (gpu_benchmark.OURS, 2.0),
            ("peer", 4.0),
            (gpu_benchmark.PRODUCT, 5.0),
        )
    }
    counts = dict.fromkeys(rounds, 2e12) | {gpu_benchmark.PRODUCT: 10e12}
    speed = gpu_benchmark.summarise(rounds, counts)
    assert speed["peer"]["teraflops"]["median"] == 5
    assert speed["peer"]["of_matrix_product"]["median"] == 0.25
    assert speed[gpu_benchmark.OURS]["of_matrix_product"]["median"] == 0.5
    assert speed["peer"]["ours_over_this"]["median"] == 2


_ON_JAX = """
import sys

import keras
import numpy as np
from benchmarks import gpu_benchmark, jax_steps, torch_steps

import keras_resnet

model = keras_resnet.build("resnet20", depths=(1, 1, 1), classes=10)
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
labels = rng.integers(0, 10, 8)
state, step = jax_steps.make_step(model)
losses = []
for _ in range(4):
    state, loss = step(state, images, labels)
    losses.append(float(loss))
assert losses[-1] < losses[0], losses
assert keras.backend.backend() == "jax"
assert "tensorflow" not in sys.modules
"""


def test_the_step_on_jax_trains_without_tensorflow():
    pytest.importorskip("jax", reason="needs JAX")
    path = f"{programs.PIPELINES}:{ROOT}:{':'.join(sys.path)}"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path}
    subprocess.run(
        [sys.executable, "-c", _ON_JAX],
        check=True,
        timeout=300,
        env=environment,
    )
