"""Training on JAX beside training on TensorFlow: pixels, steps, whole runs.

A backend is chosen once a process, and in that of JAX there is no TensorFlow.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from backends import run_on

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.recipes import engines as engines_lib

PIPELINES = pathlib.Path(__file__).resolve().parents[2] / "pipelines"
RECIPE = dataclasses.replace(
    recipes.RECIPES["digits"],
    variant="resnet20",
    depths=(1, 1, 1),
    image_size=8,
    eval_resize=8,
    augmentation="cifar",
    pad_pixels=1,
    batch_size=32,
    steps=48,
    boundaries=(30, 44),
    label_smoothing=0.1,
    log_every_steps=3,
    eval_every_steps=24,
    checkpoint_every_steps=24,
)
# 1,438 digits are not quite 45 batches: an epoch ends in the 45th.
STEPS = (0, 1, 44)
RATES = (0.1, 0.1, 0.01)

_START = """
import dataclasses, json, pathlib, sys
import numpy as np

sys.modules["tensorflow"] = None  # importing it fails
sys.path.insert(0, sys.argv[1])

import keras
from keras_resnet import recipes
from keras_resnet.training.engines import jax_batches, on_jax

folder = pathlib.Path(sys.argv[2])
fields = json.loads((folder / "recipe.json").read_text())
recipe = recipes.load(recipes.Recipe(**{
    name: tuple(value) if isinstance(value, list) else value
    for name, value in fields.items()
}))
"""

_STEPS = (
    _START
    + """
engine = on_jax.JaxEngine()
splits = engine.load_splits(recipe, None)
images, labels = splits["train"].images, splits["train"].labels

def batches(recipe, first):
    plan = jax_batches.plan(len(images), recipe, first, 1)
    row = type(plan)(*(part[0] for part in plan))
    fill = 78.0, 78.0, 78.0
    pixels = jax_batches.batch(on_jax.jnp.asarray(images), row, recipe, fill)
    return np.asarray(pixels), labels[row.indices]

found = {}
for step in json.loads(sys.argv[3]):
    found[f"images {step}"], found[f"labels {step}"] = batches(recipe, step)
found["other seed"], _ = batches(dataclasses.replace(recipe, seed=1), 0)

by_image = on_jax.JaxEngine()
by_image.build(dataclasses.replace(recipe, pixel_mean="image"), splits)
by_image.restore(None, None)
pixels = by_image.model.get_layer("pixels")
found["mean image"], found["std"] = np.asarray(pixels.mean), pixels.std
found["means"] = images.mean(axis=0, dtype="float64")

engine.build(recipe, splits)
drawn = {v.path: np.asarray(v) for v in engine.model.variables}
np.savez(folder / "drawn.npz", **drawn)
engine.model.load_weights(folder / "first.weights.h5")
engine.begin(0)
found["evaluation"] = dataclasses.astuple(engine.evaluate(None))
found["sums"] = engine.train(0, json.loads(sys.argv[4]))
engine.variables.save(folder)
with np.load(folder / "variables.npz") as file:
    found |= {path: file[path] for path in file.files}
np.savez(folder / "jax.npz", **found)
assert sys.modules["tensorflow"] is None
"""
)

_RUNS = (
    _START
    + """
import jax
from keras_resnet.errors import DivergedError, UsageError
from keras_resnet.training import signals
from keras_resnet.training.run import train_and_evaluate
from reproduction import jax_training, jobs
from stops import StopAt

# All runs here are the same functions.
jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
# Mirrored digits mean something else.
recipe = dataclasses.replace(recipe, augmentation="pad_crop",
                             label_smoothing=0.0, log_every_steps=24)

def noisy(logits, batch):
    keys = jax.vmap(jax.random.wrap_key_data)(batch["seed"])
    noise = jax.vmap(jax.random.uniform)(keys)
    return noise * keras.losses.sparse_categorical_crossentropy(
        batch["label"], logits, from_logits=True)

def train(name, hooks=()):
    # As between the jobs of a command: else names of variables count on.
    keras.backend.clear_session()
    changed = dataclasses.replace(
        recipe, variant="resnet110_dropout", schedule="plateau",
        plateau_evaluations=1, warmup_steps=100, warmup_error=0.95,
        learning_rate=3.0, eval_every_steps=12, log_every_steps=12)
    train_and_evaluate(changed, folder / name, loss=noisy, hooks=hooks)

train("whole")
try:
    train("cut", [StopAt(12)])
except signals.Interrupted as stop:
    print("stopped", stop.step, stop.status)
train("cut")
keras.backend.clear_session()

job = jobs.Job(experiment="", scale="", row_name="", row=None, recipe=recipe,
               workdir=folder / "job")
result = jax_training.train(job, matrix_side=64)
(folder / "job.json").write_text(json.dumps(result))
for name, changes in (("job", {"seed": 1}), ("diverged",
                                             {"learning_rate": 1e20})):
    try:
        train_and_evaluate(dataclasses.replace(recipe, **changes),
                           folder / name)
    except (DivergedError, UsageError) as error:
        print(type(error).__name__, error)
assert sys.modules["tensorflow"] is None
"""
)


def _write_recipe(folder):
    text = json.dumps(dataclasses.asdict(RECIPE))
    (folder / "recipe.json").write_text(text)


def _on_tensorflow(folder):
    """Batches, an evaluation and three steps of TensorFlow's engine."""
    from keras_resnet.data import pipeline
    from keras_resnet.training.engines import engine as engine_lib

    engine = engine_lib.make()
    splits = engine.load_splits(RECIPE, None)
    engine.build(RECIPE, splits)
    engine.restore(None, None)
    found = {}
    for step in STEPS:
        fill = engine.model.get_layer("pixels").mean_color
        dataset = pipeline.train_dataset(
            splits["train"], RECIPE, fill=fill, first_step=step
        )
        first = next(iter(dataset))
        found[f"images {step}"] = first["image"].numpy()
        found[f"labels {step}"] = first["label"].numpy()
    found["drawn"] = {v.path: np.asarray(v) for v in engine.model.variables}
    engine.model.save_weights(folder / "first.weights.h5")
    engine.begin(0)
    found["evaluation"] = dataclasses.astuple(engine.evaluate(lambda: False))
    found["sums"] = np.array(
        [engine.train(step, [rate]) for step, rate in enumerate(RATES)]
    )
    found["variables"] = {
        path: np.asarray(value) for path, value in engine.variables.items()
    }
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """{name: array} of TensorFlow and of JAX."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Compares JAX with TensorFlow.")
    folder = tmp_path_factory.mktemp("steps")
    _write_recipe(folder)
    here = _on_tensorflow(folder)
    words = (json.dumps(numbers) for numbers in (STEPS, RATES))
    run_on("jax", _STEPS, str(PIPELINES), str(folder), *words)
    there = _arrays(folder / "jax.npz")
    there["drawn"] = _arrays(folder / "drawn.npz")
    return here, there


def _arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("step", STEPS)
def test_batches_are_tensorflows_to_the_bit(both, step):
    here, there = both
    for name in (f"images {step}", f"labels {step}"):
        np.testing.assert_array_equal(there[name], here[name])
    # What is compared was augmented: there is padding of the mean colour.
    padded = (here[f"images {step}"] == 78).all(axis=-1)
    assert padded[:, 0].all(axis=1).any()
    # Negative control.
    assert (there["other seed"] != here[f"images {step}"]).mean() > 0.1


def test_convolutions_start_at_tensorflows_weights(both):
    here, there = both
    assert set(there["drawn"]) == set(here["drawn"])
    different = {
        path
        for path, value in here["drawn"].items()
        if not np.array_equal(value, there["drawn"][path])
    }
    assert different == {"logits/kernel"}


def test_a_mean_image_is_that_of_the_training_images(both):
    _, there = both
    np.testing.assert_allclose(there["mean image"], there["means"], rtol=1e-6)
    np.testing.assert_array_equal(there["std"], np.ones(3))
    assert np.ptp(there["means"]) > 50


def test_an_evaluation_and_three_steps_are_tensorflows(both):
    here, there = both
    np.testing.assert_allclose(
        there["evaluation"], here["evaluation"], rtol=1e-4
    )
    assert here["evaluation"][-1] == 359
    np.testing.assert_allclose(there["sums"], here["sums"], rtol=2e-3)
    for path, value in here["variables"].items():
        change = value - here["drawn"].get(path, 0)
        atol = 5e-3 * np.abs(change).max() + 1e-6
        np.testing.assert_allclose(
            there[path], value, atol=atol, rtol=0, err_msg=path
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder of the runs, and what was printed."""
    folder = tmp_path_factory.mktemp("runs")
    _write_recipe(folder)
    return folder, run_on("jax", _RUNS, str(PIPELINES), str(folder))


def _last(workdir):
    path = max((workdir / "checkpoints").iterdir())
    return _arrays(path / "variables.npz")


def test_a_run_that_was_cut_off_ends_with_the_same_bits(runs):
    """With dropout, and a loss that draws: the same numbers come again."""
    folder, said = runs
    assert "stopped 12 75" in said or "stopped 12 130" in said
    whole, cut = folder / "whole", folder / "cut"
    ends = _last(whole), _last(cut)
    assert len(ends[0]) > 20 and set(ends[0]) == set(ends[1])
    for name, value in ends[0].items():
        kinds = (np.float32, np.int32, np.int64, np.uint32)
        assert value.dtype in kinds, name
        np.testing.assert_array_equal(ends[1][name], value)
    for name in ("metrics.jsonl", "labels.txt", "card.json"):
        assert (whole / name).read_text() == (cut / name).read_text()
    states = [v for name, v in ends[0].items() if "seed_generator" in name]
    # Keras' generators count the masks that they have drawn.
    assert len(states) == 3 and all(state[1] >= 48 for state in states)


def test_warm_up_and_plateaus_are_followed(runs):
    """The papers' rules, said again: a rate is that of the step before."""
    folder, _ = runs
    text = (folder / "whole" / "metrics.jsonl").read_text()
    warm, factor, best, rates = False, 1.0, np.inf, []
    for record in map(json.loads, text.splitlines()):
        rates.append(3.0 * factor if warm else 0.01)
        assert record["learning_rate"] == pytest.approx(rates[-1])
        warm = warm or record["train_top1_accuracy"] > 1 - 0.95
        error = 1 - record["top1_accuracy"]
        factor = factor if error < best else factor / 10
        best = min(best, error)
    # All of it was there to be followed.
    assert len(rates) == 4 and rates[0] == 0.01
    assert 3.0 in rates and 0.01 < rates[-1] < 1


def test_a_job_learns_the_digits_and_tensorflow_finds_the_same_error(runs):
    from keras_resnet.data import datasets
    from keras_resnet.data import pipeline
    from keras_resnet.labels.view import View

    folder, _ = runs
    result = json.loads((folder / "job.json").read_text())
    assert result["curve"]["step"] == [24, 48]
    assert result["curve"]["learning_rate"] == pytest.approx([0.1, 0.001])
    errors = result["curve"]["train_error"]
    # Guesses are wrong in 90 %.
    assert errors[1] < 0.6 and errors[1] < errors[0]
    assert result["train_error"] == errors[1]
    model = keras.saving.load_model(folder / "job" / "model.keras")
    wrong, split = 0, datasets.load("digits", "validation")
    for batch in pipeline.eval_dataset(
        split, View(resize=8, crop=8), batch_size=359
    ):
        answers = np.argmax(model(batch["image"], training=False), axis=1)
        wrong += int((answers != batch["label"].numpy()).sum())
    assert wrong / 359 == pytest.approx(result["test_error"], abs=2 / 359)


def test_the_speed_is_what_multiply_adds_make_of_images(runs):
    folder, _ = runs
    speed = json.loads((folder / "job.json").read_text())["speed"]
    rate = speed["images_per_second"]["median"]
    assert rate > 0 and speed["compile_seconds"] > 0
    # P1 4.2's widths 16, 32, 64 on maps of 8, 4 and 2 pixels: 3x3 convolutions
    # of the stem and two a unit; option A has none in its shortcuts.
    stem, equal = 64 * 27 * 16, 64 * 9 * 16 * 16
    half = equal // 2  # the first of a stage reads half the channels
    adds = stem + 2 * equal + 2 * (half + equal) + 640
    teraflops = 6 * adds * rate / 1e12
    assert speed["teraflops"]["median"] == pytest.approx(teraflops)
    part = teraflops / speed["matrix_teraflops"]["median"]
    assert speed["of_matrix_rate"] == pytest.approx(part)


def test_another_recipe_and_a_divergence_are_told(runs):
    _, said = runs
    assert "UsageError" in said and "another recipe" in said
    assert "DivergedError" in said and "at step" in said


def test_a_checkpoint_of_another_engine_is_refused(runs):
    from keras_resnet.training.checkpoints import folder as checkpoints
    from keras_resnet.training.engines import engine as engine_lib

    folder, _ = runs
    engine = engine_lib.make()
    engine.build(RECIPE, engine.load_splits(RECIPE, None))
    with pytest.raises(errors.UsageError, match="not written on TensorFlow"):
        checkpoints.restore(folder / "job" / "checkpoints", engine.variables)


_CHECKS = (
    _START
    + """
from keras_resnet.errors import UsageError
from keras_resnet.training import checks
from reproduction import experiments, jobs

def said(recipe):
    try:
        checks.check_settings(recipe, on_jax.JaxEngine())
    except UsageError as error:
        return str(error)

for name, value in json.loads(sys.argv[3]).items():
    print(said(dataclasses.replace(recipe, **{name: value})))
for name, experiment in experiments.EXPERIMENTS.items():
    for scale in experiment.settings if experiment.module == "curves" else ():
        for made in jobs.make(name, experiment, scale, workdir=folder):
            assert said(made.recipe) is None, made
"""
)
# Of each field that the engine on JAX does not know, a value of TensorFlow's.
_OTHERS = {
    "shuffle": "blocks",
    "shuffle_blocks": 17,
    "weights": "imagenet",
    "freeze_until": "stem",
    "freeze_batch_norm": True,
    "head_learning_rate_multiplier": 2.0,
    "stage_learning_rate_decay": 0.5,
    "scale_range": (40, 50),
    "on_bad_image": "mask:1",
    "gradient_accumulation_steps": 2,
    "ema_momentum": 0.9,
    "precise_bn_batches": 1,
    "jit_compile": True,
}


def test_every_field_says_its_engines():
    fields = {field.name for field in dataclasses.fields(recipes.Recipe)}
    assert set(engines_lib.ENGINES) == fields
    for engines in engines_lib.ENGINES.values():
        assert "tensorflow" in engines and set(engines) <= {"tensorflow", "jax"}
    unknown = {n for n, e in engines_lib.ENGINES.items() if "jax" not in e}
    assert set(_OTHERS) == unknown


def test_a_field_that_says_nothing_is_refused():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(recipes.Recipe):
        mixup: float = 0.0

    engines_lib.check(Wider(), "jax")
    for engine in ("jax", "tensorflow"):
        message = f"mixup must be 0.0 on {engine}"
        with pytest.raises(errors.UsageError, match=message):
            engines_lib.check(Wider(mixup=0.2), engine)


def test_what_jax_does_not_know_is_refused_by_name(tmp_path):
    """And no experiment that it runs asks for it."""
    _write_recipe(tmp_path)
    others = {
        **_OTHERS,
        "dtype": "mixed_float16",
        "eval_resize": 9,
        "augmentation": "area_crop",
    }
    lines = run_on(
        "jax", _CHECKS, str(PIPELINES), str(tmp_path), json.dumps(others)
    ).splitlines()
    for name, line in zip(others, lines, strict=True):
        assert name in line and "Received" in line


@pytest.mark.large
def test_the_whole_command_in_bfloat16(tmp_path):
    """And a cut-off in a process of its own."""
    pytest.importorskip("jax", reason="needs JAX")
    flags = [
        "--experiment=degradation",
        "--scale=quick",
        "--rows=ResNet-20",
        "--seeds=0",
        "--depths=1,1,1",
        "--steps=40",
        "--boundaries=20,36",
        "--log_every_steps=20",
        "--eval_every_steps=20",
        "--checkpoint_every_steps=20",
        "--matrix_side=64",
        f"--workdir={tmp_path / 'runs'}",
        f"--docs_dir={tmp_path}",
    ]
    program = PIPELINES / "reproduce_on_jax.py"
    for said in ("finished", "has a record"):
        done = subprocess.run(
            [sys.executable, program, *flags],
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    path = tmp_path / "results" / "degradation.json"
    (record,) = json.loads(path.read_text())
    assert record["recipe"]["dtype"] == "mixed_bfloat16"
    assert record["environment"]["backend"] == "jax"
    assert record["result"]["train_error"] < 0.6
    (held,) = tmp_path.glob("runs/**/step-00000040/variables.npz")
    assert {str(v.dtype) for v in _arrays(held).values()} <= {
        "float32",
        "int32",
    }
