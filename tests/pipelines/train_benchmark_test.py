"""benchmark.py train: equal work, fresh processes, figures that add up."""

import importlib
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import types

import numpy as np
import programs
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import keras_resnet

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"
FIGURES = ROOT / "docs" / "train.json"


measure = programs.module("benchmarks.measure")
turns = programs.module("benchmarks.turns")
worker = programs.module("benchmarks.worker")
contenders = programs.module("benchmarks.train_contenders")
benchmark = programs.module("benchmarks.train_benchmark")
report = programs.module("benchmarks.train_report")
profile = programs.module("benchmarks.step_profile")
pictures = programs.module("benchmarks.pictures")
convolution_steps = programs.module("benchmarks.convolution_steps")
keras_steps = programs.module("benchmarks.keras_steps")
gpu_benchmark = programs.module("benchmarks.gpu_benchmark")

_CONTENDER = """
import time

print("a library that prints")


def of_package(package):
    __import__(package)


def broken():
    raise ValueError("this cannot be built")


def greedy(megabytes):
    def build():
        def steps(count, tick):
            for _ in range(count):
                block = b"1" * (megabytes * 10**6)
                del block
                tick()

        return steps

    return build


def only_built():
    return lambda: None
"""


@pytest.fixture
def contender(tmp_path, monkeypatch):
    """A module of contenders which the workers find."""
    (tmp_path / "of_test.py").write_text(_CONTENDER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(programs.PIPELINES))
    return lambda name: f"of_test:{name}"


def test_a_worker_is_a_new_process_and_its_most_memory_is_its_own(contender):
    with turns.Worker(contender("greedy"), {"megabytes": 300}) as one:
        begun, taken = one.begun, one.take(2)
    # This process, with TensorFlow, holds more.
    assert begun["imported_megabytes"] < 200 < worker.megabytes("VmRSS")
    more = begun["most_megabytes"] - begun["built_megabytes"]
    assert more == pytest.approx(300, abs=30)
    assert set(taken) == {"cpu_seconds", "wall_seconds"}
    first, build = begun["first_step"], begun["build"]
    assert all(first[clock] >= build[clock] for clock in taken)


def test_a_network_that_is_only_built_takes_no_step(contender):
    begun = turns.begin(contender("only_built"), {})
    assert "build" in begun and "first_step" not in begun


def test_what_is_not_installed_is_told_apart_from_what_fails(contender):
    with pytest.raises(turns.NotInstalled, match="no_such_package"):
        turns.Worker(contender("of_package"), {"package": "no_such_package"})
    with pytest.raises(RuntimeError, match="this cannot be built"):
        turns.Worker(contender("broken"), {})


def test_a_turns_first_step_is_not_timed(monkeypatch):
    spent = {"cpu": 0.0, "wall": 0.0}
    clock = types.SimpleNamespace(
        process_time=lambda: spent["cpu"], perf_counter=lambda: spent["wall"]
    )
    monkeypatch.setattr(worker, "time", clock)

    def steps(count, tick):
        for number in range(count):
            spent["cpu"] += 100 if number == 0 else 2
            spent["wall"] += 100 if number == 0 else 1
            tick()

    taken = worker.take(steps, 3)
    assert taken == {"cpu_seconds": 6, "wall_seconds": 3}


def test_only_a_workers_own_seconds_count():
    spent, order = turns.Spent(), []

    def of(name, seconds):
        def take(count):
            order.append(name)
            return {"cpu_seconds": 2 * seconds, "wall_seconds": seconds * count}

        return spent.turn(types.SimpleNamespace(take=take), 3, 16)

    runs = measure.alternate(
        {"a": of("a", 1.0), "b": of("b", 2.0)}, rounds=2, clocks=spent.clocks
    )
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert set(runs["a"]) == {measure.Run(48, 2.0, 3.0)}
    assert set(runs["b"]) == {measure.Run(48, 4.0, 6.0)}


def test_ours_over_a_peer_is_above_one_where_ours_is_faster():
    runs = {
        contenders.OURS: [measure.Run(32, 4.0, wall) for wall in (2, 4, 8)],
        "peer": [measure.Run(32, 6.0, 16) for _ in range(3)],
    }
    speed = benchmark.summarise(runs, 16)
    assert speed["peer"]["ours_over_this"] == {
        "median": 4,
        "min": 2,
        "max": 8,
    }
    assert speed["peer"]["images_per_second"]["median"] == 2
    assert speed["peer"]["step_seconds"]["median"] == 8
    assert speed["peer"]["step_cpu_seconds"]["median"] == 3


def test_the_ceiling_has_every_convolution_of_the_network():
    model = keras_resnet.build("resnet50", input_shape=(64, 64, 3), classes=10)
    found = convolution_steps.of_model(model, 2)
    assert len(found) == 53
    classifier = 2048 * 10
    total = sum(c.multiply_adds for c in found)
    assert total == keras_resnet.multiply_adds(model) - classifier
    assert {c.image[0] for c in found} == {2}


@pytest.mark.parametrize(
    "image, kernel, strides, padding",
    [
        ((2, 9, 9, 3), (3, 3, 3, 4), 2, "VALID"),
        ((2, 5, 5, 3), (3, 3, 3, 4), 1, "SAME"),
        ((2, 5, 5, 3), (1, 1, 3, 4), 2, "VALID"),
    ],
)
def test_the_ceilings_gradients_are_the_convolutions(
    image, kernel, strides, padding
):
    c = convolution_steps.Convolution(image, kernel, strides, padding)
    rng = np.random.default_rng(0)
    values = {
        shape: tf.constant(rng.normal(size=shape), tf.float32)
        for shape in (c.image, c.kernel, c.output)
    }
    with tf.GradientTape() as tape:
        tape.watch([values[image], values[kernel]])
        made = convolution_steps.forward(c, values)
    expected = tape.gradient(
        made, [values[kernel], values[image]], values[c.output]
    )
    found = convolution_steps.gradients(c, values, by_image=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert len(convolution_steps.gradients(c, values, by_image=False)) == 1


def test_the_ceiling_runs_all_of_its_operations():
    """Nothing reads its results; TensorFlow leaves out what is not needed."""
    shapes = ((1, 8, 8, 3), (3, 3, 3, 3), 1, "SAME")
    c = convolution_steps.Convolution(*shapes)
    step = convolution_steps.one_pass([c, c])
    step()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        step()
        tf.profiler.experimental.stop()
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    counts = {
        kind: row["operations"]
        for kind, row in profile.by_kind(profile.operations(space), 1).items()
        if kind.startswith("convolutions")
    }
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


def test_our_contender_is_the_step_that_trains(tmp_path):
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
    variants = [
        arguments.get("variant")
        for _, arguments in contenders.CONTENDERS.values()
    ]
    assert "resnet50_v1_5" in variants


def test_torchvisions_network_trains_where_it_is_installed():
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("needs torchvision (peers extra)")
    arguments = {"image_size": 32, "batch_size": 2}
    task = ("benchmarks.torch_steps:torchvision", arguments)
    sys.path.insert(0, str(programs.PIPELINES))
    try:
        begun = turns.begin(*task)
    finally:
        sys.path.remove(str(programs.PIPELINES))
    assert begun["first_step"]["wall_seconds"] > 0


def _figures():
    """As `run` makes them, of numbers that tell each other apart."""

    def spread(median):
        return {"median": median, "min": median / 2, "max": 2 * median}

    speed = {
        name: {
            "images_per_second": spread(4.0 + number),
            "step_seconds": spread(16 / (4.0 + number)),
            "step_cpu_seconds": spread(7.0 + number),
            "ours_over_this": spread(4 / (4.0 + number)),
        }
        for number, name in enumerate(contenders.CONTENDERS)
        if name != contenders.TORCHVISION
    }
    megabytes = {
        "imported_megabytes": 1000.0,
        "built_megabytes": 2000.0,
        "most_megabytes": 5000.0,
    }
    seconds = {"cpu_seconds": 30.0, "wall_seconds": 20.0}
    begun = {"build": seconds, "first_step": seconds, **megabytes}
    return {
        "benchmark": "train",
        "machine": {
            "cpu": "an abacus",
            "cores": 2,
            "load_average": 0.5,
            "packages": {"tensorflow": "2.0"},
        },
        "amounts": {
            "image_size": 160,
            "batch_size": 16,
            "rounds": 5,
            "steps": 3,
        },
        "speed": speed,
        "missing": {contenders.TORCHVISION: "No module named 'torch'"},
        "input": {"images_per_second": 400.0},
        "first_steps": {
            name: benchmark.summarise_begun([begun], [begun])
            for name in (contenders.OURS, contenders.THEIRS)
        },
        "builds": {"keras_resnet.ResNet152()": spread(3.0)},
        "deepest": {"network": "resnet1202, 32 px, 16 images", **begun},
        "memory": [{"network": "resnet50", "kept": "all kept", **begun}],
        "profile": {
            kind: {"milliseconds": 10.0, "operations": 3}
            for kind in profile.KINDS
        },
    }


def test_the_tables_have_every_contender_and_say_who_is_missing():
    text = report.markdown(_figures())
    for name in contenders.CONTENDERS:
        assert f"| {name}" in text
    assert "not installed: No module named 'torch'" in text
    assert "100 times as many" in text
    assert "3,000" in text  # 5,000 MB at most less 2,000 built
    assert "| 10.0% |" in text


def test_the_picture_has_the_figures_mark(tmp_path):
    path = tmp_path / "x.png"
    report.draw(_figures(), path)
    assert Image.open(path).size[0] > 500
    assert pictures.mark(_figures()).encode() in path.read_bytes()


@pytest.mark.skipif(
    not DOCUMENT.is_file(), reason="docs/ is not beside the tests"
)
def test_the_documentation_shows_one_run():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert "\n<!-- benchmark train -->\n" in text
    if not FIGURES.is_file():
        assert "benchmark.py train --json=docs/train.json" in text
        return
    figures = json.loads(FIGURES.read_text())
    assert report.markdown(figures) in text
    picture = FIGURES.with_suffix(".png").read_bytes()
    assert pictures.mark(figures).encode() in picture


@pytest.mark.parametrize("amounts", [contenders.FULL, contenders.QUICK])
def test_the_amounts_name_functions_and_networks_that_exist(amounts):
    for function, name in amounts.builds.values():
        assert callable(getattr(keras_steps, function))
        known = keras_resnet.VARIANTS if function == "our_model" else None
        assert known is None or name in known
    for network in (amounts.deepest, *amounts.memory):
        assert network.variant in keras_resnet.VARIANTS
    for contender, _ in contenders.CONTENDERS.values():
        module, name = contender.split(":")
        source = programs.PIPELINES / (module.replace(".", "/") + ".py")
        assert f"\ndef {name}(" in source.read_text()


def test_a_gpus_share_is_of_the_matrix_products_rate():
    runs = {
        gpu_benchmark.OURS: [measure.Run(10, 1, 2.0)] * 3,
        "peer": [measure.Run(10, 1, 4.0)] * 3,
        gpu_benchmark.PRODUCT: [measure.Run(10, 1, 5.0)] * 3,
    }
    counts = dict.fromkeys(runs, 2e12) | {gpu_benchmark.PRODUCT: 10e12}
    speed = gpu_benchmark.summarise(runs, counts)
    assert speed["peer"]["teraflops"]["median"] == 5
    assert speed["peer"]["of_matrix_product"]["median"] == 0.25
    assert speed[gpu_benchmark.OURS]["of_matrix_product"]["median"] == 0.5
    assert speed["peer"]["ours_over_this"]["median"] == 2


_ON_JAX = """
import sys

import keras
import numpy as np
from benchmarks import gpu_benchmark, jax_steps, torch_steps, worker

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


def test_the_step_on_jax_trains_without_tensorflow(monkeypatch):
    pytest.importorskip("jax", reason="needs JAX")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    path = f"{programs.PIPELINES}:{ROOT}:{':'.join(sys.path)}"
    monkeypatch.setenv("PYTHONPATH", path)
    subprocess.run([sys.executable, "-c", _ON_JAX], check=True, timeout=300)


@pytest.mark.large
def test_the_whole_command_in_small(tmp_path):
    path = tmp_path / "train.json"
    program = programs.PIPELINES / "benchmark.py"
    result = subprocess.run(
        [sys.executable, program, "train", "--quick", f"--json={path}"],
        capture_output=True,
        text=True,
        timeout=1_800,
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads(path.read_text())
    assert report.markdown(figures) in result.stdout
    known = set(figures["speed"]) | set(figures["missing"])
    assert known == set(contenders.CONTENDERS)
    for row in figures["speed"].values():
        for spread in row.values():
            assert 0 < spread["min"] <= spread["max"]
    assert figures["profile"]["convolutions, forward"]["operations"] == 53


@pytest.mark.large
def test_the_gpus_command_on_a_cpu(tmp_path):
    pytest.importorskip("jax", reason="needs JAX")
    path = tmp_path / "gpu.json"
    program = programs.PIPELINES / "benchmarks" / "gpu_train.py"
    sizes = "--image_size=32 --batch_size=2 --side=64 --rounds=1 --steps=1"
    flags = ["--device=cpu", "--nocompiled", f"--json={path}", *sizes.split()]
    subprocess.run([sys.executable, program, *flags], check=True, timeout=1_800)
    figures = json.loads(path.read_text())
    assert gpu_benchmark.OURS in figures["speed"]
