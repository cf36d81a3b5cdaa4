"""What a caller may pass to a run, and what its hooks are told."""

import dataclasses
import signal
import threading

import digit_runs
import keras
import numpy as np
import pytest
import tensorflow as tf
from stops import StopAt

import keras_resnet
from keras_resnet import errors
from keras_resnet import files
from keras_resnet.data import datasets
from keras_resnet.evaluation import reports
from keras_resnet.labels import cards
from keras_resnet.labels.view import View
from keras_resnet.recipes import schedules
from keras_resnet.training import environment
from keras_resnet.training import losses
from keras_resnet.training import processor
from keras_resnet.training import run
from keras_resnet.training import signals
from keras_resnet.training import start
from keras_resnet.training.engines import engine as engine_lib
from keras_resnet.training.hooks import Hook

pytestmark = pytest.mark.usefixtures("no_curves")

RECIPE = dataclasses.replace(
    digit_runs.RECIPE,
    depths=(1,),
    filters=(16,),
    image_size=8,
    eval_resize=8,
    steps=4,
    boundaries=(2,),
    log_every_steps=2,
    eval_every_steps=2,
    checkpoint_every_steps=2,
)
AT_THE_END = {"eval_every_steps": 4, "checkpoint_every_steps": 4}


def _train(workdir, recipe=RECIPE, **choices):
    run.train_and_evaluate(recipe, workdir, **choices)
    return workdir


def _end(workdir):
    """{path: array} of the model, and the records."""
    return digit_runs.arrays(workdir), digit_runs.records(workdir)


def _same(ours, theirs):
    """Whether two runs ended alike, bit for bit."""
    assert ours[0].keys() == theirs[0].keys()
    equal = [np.array_equal(ours[0][path], theirs[0][path]) for path in ours[0]]
    return all(equal) and ours[1] == theirs[1]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return _end(_train(tmp_path_factory.mktemp("plain")))


def _splits(examples=0):
    recipe = dataclasses.replace(RECIPE, train_examples=examples)
    return engine_lib.make().load_splits(recipe, None)


class Listens(Hook):
    """Notes what it is told, and the handler of SIGTERM at each step."""

    def __init__(self):
        self.told, self.handlers = [], set()

    def begin(self, engine, state):
        self.told.append(("begin", engine.model.name, state.step))

    def after_step(self, state):
        self.told.append(("step", state.step))
        self.handlers.add(signal.getsignal(signal.SIGTERM))

    def after_report(self, state, metrics):
        self.told.append(("report", state.step, metrics.num_examples))

    def after_evaluation(self, state):
        self.told.append(("evaluation", state.records[-1]["step"]))

    def after_checkpoint(self, state):
        self.told.append(("checkpoint", state.step))

    def finish(self, state):
        self.told.append(("finish", state.step))

    def close(self):
        self.told.append("close")


def test_the_recipes_own_things_from_a_caller_in_a_thread_change_no_bit(
    plain, tmp_path
):
    """The control of all tests here; hooks are told everything in order."""
    listens, before = Listens(), signal.getsignal(signal.SIGTERM)
    choices = {
        "splits": _splits(),
        "loss": losses.cross_entropy(),
        "optimizer": start.make_optimizer,
        "schedule": schedules.make(RECIPE),
        "hooks": [listens],
    }
    thread = threading.Thread(
        target=_train, args=(tmp_path / "run",), kwargs=choices
    )
    thread.start()
    thread.join()
    assert _same(_end(tmp_path / "run"), plain)
    # Only the main thread may handle signals, so this thread set no handler.
    assert listens.handlers == {before}
    assert listens.told == [
        ("begin", "resnet20", 0),
        ("step", 1),
        ("step", 2),
        ("report", 2, 64),
        ("evaluation", 2),
        ("checkpoint", 2),
        ("step", 3),
        ("step", 4),
        ("report", 4, 64),
        ("evaluation", 4),
        ("checkpoint", 4),
        ("finish", 4),
        "close",
    ]


class Keeps(Hook):
    """Keeps the engine of a run."""

    def begin(self, engine, state):
        self.engine = engine


def test_a_run_of_two_sizes_is_traced_twice_and_seen_as_it_is_evaluated(
    tmp_path,
):
    """Training on 8 and 12 of 15 pixels, evaluation on 16 of 20."""
    recipe = dataclasses.replace(
        RECIPE,
        depths=(1, 1),
        filters=(16, 32),
        image_size=12,
        progressive_sizes=(8,),
        progressive_boundaries=(2,),
        eval_size=16,
        eval_resize=20,
        **AT_THE_END,
    )
    keeps = Keeps()
    found = run.train_and_evaluate(recipe, tmp_path, hooks=[keeps])
    assert keeps.engine._train_step.experimental_get_tracing_count() == 2
    card, model = cards.load_card(tmp_path), keras_resnet.load(tmp_path)
    assert (card.image_size, card.eval_resize) == (16, 20)
    split = datasets.load("digits", "validation")
    losses = [
        reports.make(model, view, split).metrics.loss
        for view in (View.of(card), View(resize=15, crop=12))
    ]
    assert losses[0] == pytest.approx(found.loss, rel=1e-5)
    assert losses[1] != pytest.approx(found.loss, rel=1e-3)


class Still(schedules.Schedule):
    """Every other iteration has the rate 0."""

    def learning_rate(self, step):
        return 0.0 if step % 2 else super().learning_rate(step)


def _adam(model, recipe):
    del model, recipe
    return keras.optimizers.Adam(weight_decay=0.0)


def test_a_callers_own_things_decide_the_run(plain, tmp_path):
    choices = {
        "loss": lambda logits, batch: logits[:, 3],
        "optimizer": _adam,
        "schedule": Still(RECIPE),
        "splits": _splits(examples=100),
    }
    recipe = dataclasses.replace(RECIPE, **AT_THE_END)
    arrays, records = _end(_train(tmp_path / "run", recipe, **choices))
    # The loss is the logit of class 3 and nothing else.
    bias = arrays["logits/bias"]
    assert bias[3] < 0 and np.flatnonzero(bias).tolist() == [3]
    assert len(np.flatnonzero(plain[0]["logits/bias"])) == 10
    last = tmp_path / "run/checkpoints/step-00000004/variables"
    names = [name for name, _ in tf.train.list_variables(str(last))]
    assert any("adam" in name for name in names)
    assert [record["learning_rate"] for record in records] == [0]
    assert [record["epoch"] for record in records] == [1.28]


@pytest.mark.parametrize(
    "changes, choices, message",
    [
        ({"label_smoothing": 0.1}, {"loss": len}, "label_smoothing=0.1"),
        ({"train_examples": 9}, {"splits": {"train": 1}}, "train_examples=9"),
        ({"holdout_examples": 9}, {"splits": {}}, "holdout_examples=9"),
    ],
)
def test_what_a_caller_replaces_is_not_in_the_recipe(
    tmp_path, changes, choices, message
):
    recipe = dataclasses.replace(RECIPE, **changes)
    with pytest.raises(errors.UsageError, match=message):
        _train(tmp_path / "run", recipe, **choices)
    assert not any(tmp_path.iterdir())


def test_what_is_drawn_by_the_batchs_seed_resumes_exactly(plain, tmp_path):
    """The seed contains the step's number."""
    cross_entropy = losses.cross_entropy()

    def loss(logits, batch):
        noise = tf.random.stateless_uniform(
            tf.shape(logits)[:1], batch["seed"][0]
        )
        return noise * cross_entropy(logits, batch)

    recipe = dataclasses.replace(RECIPE, **AT_THE_END)
    whole = _end(_train(tmp_path / "whole", recipe, loss=loss))
    assert not np.array_equal(*(e[0]["logits/bias"] for e in (whole, plain)))
    cut = tmp_path / "cut"
    # SIGINT is ignored if a shell started the tests in the background.
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(signals.Interrupted, match="step 3"):
        _train(cut, recipe, loss=loss, hooks=[StopAt(3)])
    assert not (cut / "model.keras").exists()
    assert signal.getsignal(signal.SIGINT) is handler
    assert _same(_end(_train(cut, recipe, loss=loss)), whole)


def test_a_second_run_in_a_workdir_is_refused_and_the_first_goes_on(
    plain, tmp_path
):
    """Each would delete the other's checkpoints."""
    place, refused = tmp_path / "run", []

    def held():
        return {p: p.stat().st_mtime_ns for p in files.entries(place)}

    class Second(Hook):
        def after_checkpoint(self, state):
            before = held()
            with pytest.raises(files.BusyError, match="take another --workdir"):
                _train(place)
            assert held() == before
            refused.append(state.step)

    assert _same(_end(_train(place, hooks=[Second()])), plain)
    assert refused == [2, 4]
    # No run holds the workdir any more.
    assert _same(_end(_train(place)), plain)


def test_what_is_refused_late_leaves_no_workdir(tmp_path):
    def optimizer(model, recipe):
        raise errors.UsageError("none for a network of this size")

    with pytest.raises(errors.UsageError, match="of this size"):
        _train(tmp_path / "new" / "run", optimizer=optimizer)
    assert not (tmp_path / "new").exists()


def test_a_hook_that_fails_ends_the_run_and_all_are_closed(tmp_path):
    class Fails(Hook):
        def after_step(self, state):
            raise ZeroDivisionError

    listens = Listens()
    with pytest.raises(ZeroDivisionError):
        _train(tmp_path / "run", hooks=[Fails(), listens])
    assert listens.told == [("begin", "resnet20", 0), "close"]


@pytest.mark.parametrize(
    "dtype, device, flags, said",
    [
        ("mixed_bfloat16", "a GPU", "sse2 avx2", False),
        ("float32", "cpu", "sse2 avx2", False),
        ("mixed_bfloat16", "cpu", "sse2 avx512f avx512_bf16", False),
        ("mixed_bfloat16", "cpu", "fp asimd bf16", False),  # ARM
        ("mixed_bfloat16", "cpu", "sse2 avx512f", True),
        ("bfloat16", processor.name(), "fp asimd", True),
        ("bfloat16", "cpu", "", False),  # flags unknown
    ],
)
def test_what_bfloat16_costs_without_instructions_is_said(
    dtype, device, flags, said
):
    lines = environment.slow_bfloat16(dtype, device, flags)
    assert len(lines) == said
    assert all("slower than --dtype=float32" in line for line in lines)
