"""Training on JAX beside training on TensorFlow: pixels, steps, whole runs.

A process has one backend; the process of JAX has no TensorFlow.
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
from keras_resnet.evaluation import metrics
from keras_resnet.evaluation import multi_label
from keras_resnet.recipes import engines as engines_lib

PIPELINES = pathlib.Path(__file__).resolve().parents[2] / "pipelines"
RECIPE = dataclasses.replace(
    recipes.RECIPES["digits"],
    variant="resnet20",
    depths=(1, 1),
    filters=(16, 32),
    image_size=8,
    eval_resize=8,
    augmentation="cifar",
    pad_pixels=1,
    batch_size=32,
    steps=48,
    boundaries=(30, 44),
    label_smoothing=0.1,
    mixup_alpha=1.0,
    cutmix_alpha=1.0,
    stochastic_depth=0.3,
    repeated_augmentation=2,
    log_every_steps=3,
    eval_every_steps=24,
    checkpoint_every_steps=24,
)
# 1,438 digits are not quite 45 batches: an epoch ends in the 45th.
STEPS = (0, 1, 44)
RATES = (0.1, 0.1, 0.01)

_ON_JAX = """
import dataclasses, json, pathlib, sys
import numpy as np

sys.modules["tensorflow"] = None  # importing it fails
sys.path.insert(0, sys.argv[1])

import jax
import keras
import keras_resnet
from benchmarks import jax_steps, steps
from keras_resnet import recipes
from keras_resnet.errors import DivergedError, UsageError
from keras_resnet.training import checks, signals
from keras_resnet.training.engines import jax_batches, on_jax
from keras_resnet.training.run import train_and_evaluate
from reproduction import experiments, jax_training, jobs
from stops import StopAt

folder = pathlib.Path(sys.argv[2])
# Several runs here are the same functions.
jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
fields, numbers, rates, others = json.loads((folder / "asked.json").read_text())
recipe = recipes.load(recipes.Recipe(**{
    name: tuple(value) if isinstance(value, list) else value
    for name, value in fields.items()
}))
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
for step in numbers:
    found[f"images {step}"], found[f"labels {step}"] = batches(recipe, step)
found["other seed"], _ = batches(dataclasses.replace(recipe, seed=1), 0)

one_unit = dataclasses.replace(recipe, depths=(1,), filters=(16,))
by_image = on_jax.JaxEngine()
by_image.build(dataclasses.replace(one_unit, pixel_mean="image"), splits)
by_image.restore(None, None)
pixels = by_image.model.get_layer("pixels")
found["mean image"], found["std"] = np.asarray(pixels.mean), pixels.std
found["means"] = images.mean(axis=0, dtype="float64")

keras.backend.clear_session()
engine.build(recipe, splits)
drawn = {v.path: np.asarray(v) for v in engine.model.variables}
np.savez(folder / "drawn.npz", **drawn)
engine.model.load_weights(folder / "first.weights.h5")
engine.begin(0)
found["evaluation"] = dataclasses.astuple(engine.evaluate(None))
found["sums"] = engine.train(0, rates)
engine.variables.save(folder)
with np.load(folder / "variables.npz") as file:
    found |= {path: file[path] for path in file.files}
np.savez(folder / "jax.npz", **found)

# Any number of labels an image: two of the digits each.
several = {
    name: dataclasses.replace(
        split, labels=np.eye(10, dtype=np.uint8)[split.labels]
        | np.eye(10, dtype=np.uint8)[split.labels - 9]
    )
    for name, split in splits.items()
}
other = on_jax.JaxEngine()
muon = dataclasses.replace(one_unit, optimizer="muon", clip_norm=1.0)
other.build(muon, several)
other.begin(0)
rows = other.train(0, [rate / 100 for rate in rates])
network = keras_resnet.logits(other.model)
np.savez(
    folder / "several.npz",
    sums=rows,
    figures=dataclasses.astuple(other.evaluate(None)),
    logits=network.predict(several["validation"].images, verbose=0),
    labels=several["validation"].labels,
)

# The step that is compared with a GPU's peers.
step = jax_steps.make_step(other.model)
batch = steps.pixels(8, 8, classes=10)
losses = [float(step(*batch)) for _ in range(4)]
assert losses[-1] < losses[0], losses

def said(make):
    try:
        checks.check_settings(make(), on_jax.JaxEngine())
    except UsageError as error:
        return str(error)

for name, value in others.items():
    changes = value if isinstance(value, dict) else {name: value}
    print(said(lambda: dataclasses.replace(recipe, **changes)))
for name, experiment in experiments.EXPERIMENTS.items():
    runs = experiment.module == "curves" and name != "later"
    for scale in experiment.settings if runs else ():
        for made in jobs.make(name, experiment, scale, workdir=folder):
            assert said(lambda: made.recipe) is None, made

# Mirrored digits mean something else.
recipe = dataclasses.replace(one_unit, augmentation="pad_crop",
                             label_smoothing=0.0, stochastic_depth=0.0,
                             repeated_augmentation=1, log_every_steps=24,
                             mixup_alpha=0.0, cutmix_alpha=0.0)

def noisy(logits, batch):
    keys = jax.vmap(jax.random.wrap_key_data)(batch["seed"])
    noise = jax.vmap(jax.random.uniform)(keys)
    return noise * keras.losses.sparse_categorical_crossentropy(
        batch["label"], logits, from_logits=True)

def train(name, hooks=()):
    # As between the jobs of a command: else names of variables count on.
    keras.backend.clear_session()
    changed = dataclasses.replace(
        recipe, variant="resnet110_dropout", depths=(2,), filters=(16,),
        schedule="plateau",
        stochastic_depth=0.3, repeated_augmentation=2,
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

# A value for each field that TensorFlow's engine knows and JAX's does not.
_UNKNOWN = {
    "shuffle": "blocks",
    "shuffle_blocks": 17,
    "weights": "imagenet",
    "freeze_until": "stem",
    "freeze_batch_norm": True,
    "head_learning_rate_multiplier": 2.0,
    "stage_learning_rate_decay": 0.5,
    "scale_range": (40, 50),
    "progressive_sizes": {
        "progressive_sizes": (4,),
        "progressive_boundaries": (9,),
    },
    "eval_size": 8,
    "holdout_examples": 10,
    "policy": "trivial_augment",
    "policy_magnitude": 5.0,
    "policy_magnitude_deviation": 0.0,
    "policy_layers": 3,
    "policy_increasing": False,
    "policy_interpolation": "bilinear",
    "erasing": 0.1,
    "on_bad_image": "mask:1",
    "gradient_accumulation_steps": 2,
    "ema_momentum": 0.9,
    "precise_bn_batches": 1,
    "jit_compile": True,
    "teacher": "runs/other",
    "distillation": "hard",
    "distillation_weight": 0.1,
    "distillation_temperature": 2.0,
}
_OTHERS = {
    **_UNKNOWN,
    "dtype": "mixed_float16",
    "eval_resize": 9,
    "augmentation": "area_crop",
}


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
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("jax")


@pytest.fixture(scope="module")
def here(folder):
    """{name: array} of TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Compares JAX with TensorFlow.")
    return _on_tensorflow(folder)


@pytest.fixture(scope="module")
def said(here, folder):
    """What the process of JAX printed; its runs are in the folder."""
    asked = [dataclasses.asdict(RECIPE), STEPS, RATES, _OTHERS]
    (folder / "asked.json").write_text(json.dumps(asked))
    return run_on("jax", _ON_JAX, str(PIPELINES), str(folder))


@pytest.fixture(scope="module")
def there(said, folder):
    """{name: array} of JAX."""
    found = _arrays(folder / "jax.npz")
    return {**found, "drawn": _arrays(folder / "drawn.npz")}


def _arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("step", STEPS)
def test_batches_are_tensorflows_to_the_bit(here, there, step):
    for name in (f"images {step}", f"labels {step}"):
        np.testing.assert_array_equal(there[name], here[name])
    # The compared images are augmented: some have padding of the mean colour.
    padded = (here[f"images {step}"] == 78).all(axis=-1)
    assert padded[:, 0].all(axis=1).any()
    # Negative control.
    assert (there["other seed"] != here[f"images {step}"]).mean() > 0.1


def test_convolutions_start_at_tensorflows_weights(here, there):
    assert set(there["drawn"]) == set(here["drawn"])
    different = {
        path
        for path, value in here["drawn"].items()
        if not np.array_equal(value, there["drawn"][path])
    }
    assert different == {"logits/kernel"}


def test_a_mean_image_is_that_of_the_training_images(there):
    np.testing.assert_allclose(there["mean image"], there["means"], rtol=1e-6)
    np.testing.assert_array_equal(there["std"], np.ones(3))
    assert np.ptp(there["means"]) > 50


def test_an_evaluation_and_three_steps_are_tensorflows(here, there):
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


def test_labels_that_do_not_exclude_each_other_are_learnt(said, folder):
    """JAX's figures are those that TensorFlow computes from JAX's logits."""
    found = _arrays(folder / "several.npz")
    logits, labels = found["logits"], found["labels"]
    assert set(labels.sum(axis=1)) == {2} and found["sums"].shape == (3, 4)
    assert (found["sums"][:, 3] == 32).all() and np.ptp(found["sums"][:, 0])
    weights = np.ones(len(labels), np.float32)
    sums = metrics.batch_sums(*map(keras.ops.array, (logits, labels, weights)))
    expected = multi_label.measure(np.asarray(sums), logits, labels, weights)
    np.testing.assert_allclose(
        found["figures"], dataclasses.astuple(expected), rtol=1e-4
    )
    assert 0 < expected.mean_average_precision < 1


def _last(workdir):
    path = max((workdir / "checkpoints").iterdir())
    return _arrays(path / "variables.npz")


def test_a_run_that_was_cut_off_ends_with_the_same_bits(said, folder):
    """With dropout, and a loss that draws: the same numbers come again."""
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
    states = [v for name, v in ends[0].items() if "dropout/seed_gen" in name]
    # Keras' generators count the masks that they have drawn.
    assert len(states) == 2 and all(state[1] >= 48 for state in states)


def test_warm_up_and_plateaus_are_followed(said, folder):
    """The papers' rules, restated: a rate is that of the step before."""
    text = (folder / "whole" / "metrics.jsonl").read_text()
    warm, factor, best, rates = False, 1.0, np.inf, []
    for record in map(json.loads, text.splitlines()):
        rates.append(3.0 * factor if warm else 0.01)
        assert record["learning_rate"] == pytest.approx(rates[-1])
        warm = warm or record["train_top1_accuracy"] > 1 - 0.95
        error = 1 - record["top1_accuracy"]
        factor = factor if error < best else factor / 10
        best = min(best, error)
    # The run had both a warm-up and a plateau.
    assert len(rates) == 4 and rates[0] == 0.01
    assert 3.0 in rates and 0.01 < rates[-1] < 1


def test_a_job_learns_the_digits_and_tensorflow_finds_the_same_error(
    said, folder
):
    from keras_resnet.data import datasets
    from keras_resnet.data import pipeline
    from keras_resnet.labels.view import View

    result = json.loads((folder / "job.json").read_text())
    assert result["curve"]["step"] == [24, 48]
    assert result["curve"]["learning_rate"] == pytest.approx([0.1, 0.001])
    errors = result["curve"]["train_error"]
    # 90 % of guesses are wrong.
    assert errors[1] < 0.7 and errors[1] < errors[0]
    assert result["train_error"] == errors[1]
    model = keras.saving.load_model(folder / "job" / "model.keras")
    wrong, split = 0, datasets.load("digits", "validation")
    for batch in pipeline.eval_dataset(
        split, View(resize=8, crop=8), batch_size=359
    ):
        answers = np.argmax(model(batch["image"], training=False), axis=1)
        wrong += int((answers != batch["label"].numpy()).sum())
    assert wrong / 359 == pytest.approx(result["test_error"], abs=2 / 359)


def test_the_speed_is_what_multiply_adds_make_of_images(said, folder):
    speed = json.loads((folder / "job.json").read_text())["speed"]
    rate = speed["images_per_second"]["median"]
    assert rate > 0 and speed["compile_seconds"] > 0
    # 16 filters on maps of 8 pixels: 3x3 convolutions of the stem and two of
    # the unit; option A has none in its shortcut.
    adds = 64 * 27 * 16 + 2 * 64 * 9 * 16 * 16 + 160
    teraflops = 6 * adds * rate / 1e12
    assert speed["teraflops"]["median"] == pytest.approx(teraflops)
    part = teraflops / speed["matrix_teraflops"]["median"]
    assert speed["of_matrix_rate"] == pytest.approx(part)


def test_another_recipe_and_a_divergence_are_told(said):
    assert "UsageError" in said and "another recipe" in said
    assert "DivergedError" in said and "at step" in said


def test_a_checkpoint_of_another_engine_is_refused(said, folder):
    from keras_resnet.training.checkpoints import folder as checkpoints
    from keras_resnet.training.engines import engine as engine_lib

    engine = engine_lib.make()
    engine.build(RECIPE, engine.load_splits(RECIPE, None))
    with pytest.raises(errors.UsageError, match="not written on TensorFlow"):
        checkpoints.restore(folder / "job" / "checkpoints", engine.variables)


def test_every_field_says_its_engines():
    fields = {field.name for field in dataclasses.fields(recipes.Recipe)}
    assert set(engines_lib.ENGINES) == fields
    for engines in engines_lib.ENGINES.values():
        assert "tensorflow" in engines and set(engines) <= {"tensorflow", "jax"}
    unknown = {n for n, e in engines_lib.ENGINES.items() if "jax" not in e}
    assert set(_UNKNOWN) == unknown


def test_a_field_that_says_nothing_is_refused():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(recipes.Recipe):
        mixup: float = 0.0

    engines_lib.check(Wider(), "jax")
    for engine in ("jax", "tensorflow"):
        message = f"mixup must be 0.0 on {engine}"
        with pytest.raises(errors.UsageError, match=message):
            engines_lib.check(Wider(mixup=0.2), engine)


def test_what_jax_does_not_know_is_refused_by_name(said):
    """And of the experiments that it runs only "later" asks for it."""
    for name, line in zip(_OTHERS, said.splitlines(), strict=False):
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
