"""The model of a step, beside closed forms."""

import dataclasses

import programs
import pytest

import keras_resnet

scaling = programs.module("benchmarks.scaling_benchmark")

MACHINE = scaling.Machine(
    batch=100,
    compute=0.5,
    images_per_second=1000,
    bandwidth=1e9,
    latency=0.001,
)


def test_one_worker_computes_and_sends_nothing():
    assert scaling.step_seconds(MACHINE, 1, 1e9) == 0.5
    assert scaling.efficiency(MACHINE, 1, 1e9) == 1


def test_a_ring_sends_twice_the_bytes_but_for_a_share():
    """Patarasuk and Yuan 2009: 2 (n - 1) / n of the bytes, 2 (n - 1) hops."""
    for workers, sent, hops in ((2, 1.0, 2), (4, 1.5, 6), (1000, 1.998, 1998)):
        seconds = scaling.step_seconds(MACHINE, workers, 1e9)
        assert seconds == pytest.approx(0.5 + sent + 4 * hops * 0.001)


def test_trees_have_a_logarithm_of_hops():
    trees = dataclasses.replace(MACHINE, trees=True)
    assert scaling.step_seconds(trees, 1024, 0) == pytest.approx(
        0.5 + 4 * 20 * 0.001
    )


def test_a_slow_input_hides_the_compute():
    slow = dataclasses.replace(MACHINE, images_per_second=10)
    assert scaling.step_seconds(slow, 1, 0) == 10
    assert scaling.efficiency(slow, 2, 1e9) > scaling.efficiency(
        MACHINE, 2, 1e9
    )


def test_the_bytes_are_the_networks():
    """Trainable parameters as torchvision counts them, float32."""
    for name, (num_bytes, work) in scaling.NETWORKS.items():
        variant = name.lower().replace("-", "")
        model = keras_resnet.build(variant, input_shape=(224, 224, 3))
        count = sum(
            v.value.shape.num_elements() for v in model.trainable_variables
        )
        assert num_bytes == 4 * count
        ratio = keras_resnet.multiply_adds(model) / 3.86e9
        assert work == pytest.approx(ratio, rel=0.01)
