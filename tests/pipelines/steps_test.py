"""benchmark.py train, gpu and scaling: equal work, and counts of it."""

import programs
import pytest
from goldens import GOLDENS
from tensorflow.python.eager import context

import keras_resnet

measure = programs.module("benchmarks.measure")
train_benchmark = programs.module("benchmarks.train_benchmark")
gpu_benchmark = programs.module("benchmarks.gpu_benchmark")
scaling = programs.module("benchmarks.scaling_benchmark")
convolutions = programs.module("benchmarks.convolutions")
steps = programs.module("benchmarks.steps")


def test_the_ceiling_has_every_convolution_of_the_network():
    small = {"depths": (2, 1), "filters": (4, 8), "input_shape": (16, 16, 3)}
    model = keras_resnet.build("resnet50", classes=10, **small)
    found = convolutions.of_model(model, 2)
    # The stem's, three a unit, and a projection in each stage.
    assert len(found) == 1 + 3 * 3 + 2
    total = 4 * 8 * 10  # the classifier
    for c in found:
        _, height, width, _ = c.output
        rows, columns, channels, filters = c.kernel
        total += height * width * rows * columns * channels * filters
    assert total == keras_resnet.multiply_adds(model)
    assert {c.image[0] for c in found} == {2}


def test_the_ceiling_runs_all_of_its_operations():
    """Nothing reads its results; TensorFlow prunes what is not needed."""
    shape = (1, 8, 8, 3)
    c = convolutions.Convolution(shape, (3, 3, 3, 3), shape, 1, "SAME")
    step = convolutions.one_pass([c, c])
    context.context().enable_graph_collection()
    try:
        step()
        metadata = context.context().export_run_metadata()
    finally:
        context.context().disable_graph_collection()
    operations = [
        node.op
        for function in metadata.function_graphs
        for graph in [function.post_optimization_graph]
        for node in [
            *graph.node,
            *(n for f in graph.library.function for n in f.node_def),
        ]
    ]
    kinds = ("Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput")
    counts = [sum(op.endswith(kind) for op in operations) for kind in kinds]
    # The first one's gradient with respect to the pixels is not computed.
    assert counts == [2, 2, 1]


def test_our_contender_is_the_step_that_trains():
    small = {"depths": (1, 1), "filters": (16, 32)}
    build = steps.ours(8, 2, variant="resnet20", classes=10, choices=small)
    ticks = []
    build()(2, lambda: ticks.append(1))
    assert len(ticks) == 2


def test_the_networks_that_are_compared_have_the_same_multiply_adds():
    """torchvision strides in another layer; one of our rows does so, too."""
    ours, theirs = (
        GOLDENS[name].multiply_adds
        for name in ("resnet50", gpu_benchmark.VARIANT)
    )
    assert theirs / ours == pytest.approx(1.06, abs=0.005)
    assert theirs == gpu_benchmark.MULTIPLY_ADDS
    _, choices = train_benchmark.CONTENDERS["ours, strides as torchvision"]
    assert choices["variant"] == "resnet50_v1_5" == gpu_benchmark.VARIANT


def test_a_gpus_share_is_of_the_matrix_products_rate():
    names = (gpu_benchmark.OURS, "peer", gpu_benchmark.PRODUCT)
    rounds = {
        name: [measure.rates({"cpu_seconds": 1, "wall_seconds": wall}, 1, 10)]
        for name, wall in zip(names, (2.0, 4.0, 5.0), strict=True)
    }
    counts = dict.fromkeys(rounds, 2e12) | {gpu_benchmark.PRODUCT: 10e12}
    speed = gpu_benchmark.summarise(rounds, counts)
    assert speed["peer"]["teraflops"]["median"] == 5
    assert speed["peer"]["of_matrix_product"]["median"] == 0.25
    assert speed[gpu_benchmark.OURS]["of_matrix_product"]["median"] == 0.5
    assert speed["peer"]["ours_over_this"]["median"] == 2


# The model of a step over workers, beside closed forms.

MACHINE = scaling.Machine(100, 0.5, 1000, 1e9, 0.001)


def test_one_worker_sends_nothing_and_a_slow_input_hides_its_compute():
    assert scaling.step_seconds(MACHINE, 1, 1e9) == 0.5
    assert scaling.efficiency(MACHINE, 1, 1e9) == 1
    slow = MACHINE._replace(images_per_second=10)
    assert scaling.step_seconds(slow, 1, 0) == 10
    assert scaling.efficiency(slow, 2, 1e9) > scaling.efficiency(
        MACHINE, 2, 1e9
    )


def test_a_ring_sends_twice_the_bytes_but_for_a_share():
    """Patarasuk and Yuan 2009: 2 (n - 1) / n of the bytes, 2 (n - 1) hops."""
    for workers, sent, hops in ((2, 1.0, 2), (4, 1.5, 6), (1000, 1.998, 1998)):
        seconds = scaling.step_seconds(MACHINE, workers, 1e9)
        assert seconds == pytest.approx(0.5 + sent + 4 * hops * 0.001)
    # In trees the number of hops is logarithmic.
    trees = MACHINE._replace(trees=True)
    seconds = scaling.step_seconds(trees, 1024, 0)
    assert seconds == pytest.approx(0.5 + 4 * 20 * 0.001)


def test_more_processes_are_predicted_from_two():
    """They share the cores; a ring of n moves 2 (n - 1) times the bytes."""
    measured = {
        "1x1": {"local": 2.0, "gradients": 0.0, "number": 0.0, "step": 2.5},
        "2x1": {"local": 3.0, "gradients": 1.0, "number": 0.1, "step": 4.4}
        | {"own": 2.6},
        "4x1": {"gradients": 7.0, "step": 9.0},
        "1x2": {"gradients": 0.5, "step": 3.6},
    }
    found = {
        cores: [row["predicted"] for row in rows]
        for cores in (2, 4)
        for rows in [scaling.predictions(measured, cores)]
    }
    compute, sums = 2.5 * 3 / 2, 1.3
    two, mirrored = compute + sums, 2.5 * 2.6 / 2 + 0.5
    shared, own = 2 * compute + 3 * sums, compute + 1.5 * sums
    assert found[2] == pytest.approx([2.5, two, shared, mirrored])
    assert found[4] == pytest.approx([2.5, two, own, mirrored])
    del measured["2x1"]
    rows = {r["processes"]: r for r in scaling.predictions(measured, 2)}
    assert rows[4]["predicted"] is None and rows[4]["measured"] == 9.0


def test_the_bytes_are_the_networks():
    """Trainable parameters as torchvision counts them, float32."""
    for name, (num_bytes, work) in scaling.NETWORKS.items():
        golden = GOLDENS[name.lower().replace("-", "")]
        assert num_bytes == 4 * golden.trainable_parameters
        assert work == pytest.approx(golden.multiply_adds / 3.86e9, rel=0.01)
