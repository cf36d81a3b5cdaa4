"""A training run, from a recipe and a directory to metrics and a model."""

import contextlib
import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from absl import logging

from keras_resnet import files
from keras_resnet import recipes
from keras_resnet.evaluation import metrics
from keras_resnet.evaluation.multi_label import MultiLabelMetrics
from keras_resnet.recipes import schedules
from keras_resnet.training import checks
from keras_resnet.training import environment
from keras_resnet.training import final_files
from keras_resnet.training import workdir as workdir_lib
from keras_resnet.training.checkpoints import checkpoint
from keras_resnet.training.checkpoints.saver import Saver
from keras_resnet.training.engines import engine as engine_lib
from keras_resnet.training.loop import Loop
from keras_resnet.training.reporting import Reporter
from keras_resnet.training.signals import Signals
from keras_resnet.training.state import RunState


def train_and_evaluate(
    recipe: recipes.Recipe,
    workdir: str | os.PathLike,
    *,
    strategy=None,
    data_dir: str | None = None,
    resume: str = "auto",
    splits: Mapping | None = None,
    loss: Callable | None = None,
    optimizer: Callable | None = None,
    schedule: schedules.Schedule | None = None,
    hooks: Iterable = (),
) -> metrics.Metrics | MultiLabelMetrics:
    """Trains a network, going on from the last checkpoint of the workdir.

    Writes config.json, checkpoints/, metrics.jsonl, curves.png, on TensorFlow
    tensorboard/, and at the end model.keras (and last.keras, where that is
    another) with labels.txt and card.json, and
    masked_images.csv if `on_bad_image` masked any.

    Wherever the process dies, the same call ends with the weights and the
    metrics.jsonl of a run that was never stopped, bit for bit on the same
    machine, libraries, threads and number of replicas. What the caller passes
    (the last five arguments) is not in the checkpoint: pass the same again.

    Args:
        recipe: `recipes.Recipe`.
        workdir: a directory of this run alone; made if missing.
        strategy: from `distribution.make_strategy`. Default: one device. On
            JAX there is no other.
        data_dir: for TensorFlow Datasets; on JAX the folder of the data set's
            own files.
        resume: key of `workdir.RESUME`.
        splits: {"train", "validation"}: `splits.Split`, on JAX
            `arrays.Arrays`, in place of those of `recipe.dataset`, which still
            names the mean colour.
        loss: (logits, batch) -> float (B,), in place of the cross-entropy.
            Logits are float32 (B, K); the batch has "label", int32 (B,), or
            with many labels an example uint8 (B, K) of 0 and 1, and "seed",
            (B, 2), two integers for random numbers, unique to each example and
            step. The reported loss stays the cross-entropy.
        optimizer: (model, recipe) -> `keras.optimizers.Optimizer`, in place
            of `start.make_optimizer`. The schedule sets its rate. For
            mixed_float16 it must scale the loss.
        schedule: an object with the methods of `schedules.Schedule`, in place
            of the recipe's.
        hooks: iterable of `hooks.Hook`.

    Returns:
        `metrics.Metrics` of model.keras on the validation split; with many
        labels an example, `multi_label.MultiLabelMetrics`. If the recipe keeps
        the best of several evaluations, that split has chosen the model, so it
        does a little better there than on other images.

    Raises:
        keras_resnet.UsageError: if a setting, the data or the workdir cannot
            work, or another run holds it, before the first iteration; later
            for an unreadable image, for a loss or weight that is not finite
            and for a disk that is full.
        signals.Interrupted: after SIGINT or SIGTERM, once a checkpoint is
            written. Off the main thread signals do nothing.
        workers.WorkerLost: if another worker is gone.
    """
    engine = engine_lib.make(strategy)
    workers = engine.workers

    def prepare():
        checks.check_settings(
            recipe, engine, loss=loss, optimizer=optimizer, splits=splits
        )
        device = engine.environment()["device"]
        lines = recipes.past_the_end(recipe)
        lines += environment.slow_bfloat16(recipe.dtype, device)
        for line in lines if workers.is_chief else ():
            logging.warning(line)
        path = workdir_lib.check(workdir, recipe, resume)
        data = splits or engine.load_splits(recipe, data_dir)
        checks.check_data(data, recipe)
        return path, data

    with (
        Signals() as signals,
        workers.noticing_loss(),
        files.room(workdir, "Make room; the same command goes on."),
        contextlib.ExitStack() as held,
    ):
        path, data = workers.together(prepare)
        workers.together(lambda: _hold(path, workers, held))
        engine.build(recipe, data, loss=loss, optimizer=optimizer)
        kind = metrics.KINDS[data["train"].multi_label]
        state = RunState(schedule or schedules.make(recipe), kind=kind)
        saver = Saver(path, engine, recipe, data)
        workers.together(lambda: _restore(engine, state, saver))
        _claim(path, recipe, engine, state, saver)
        reporter = Reporter(path, recipe, data["train"].class_names)
        hooks = [*([reporter] if workers.is_chief else ()), *hooks]
        num_examples = data["train"].num_examples
        loop = Loop(recipe, engine, num_examples, state, saver, hooks)
        with _closing(hooks):
            loop.run(signals)
            if workers.is_chief:
                _save_results(path, recipe, engine, data)
            # The chief's process keeps the others together.
            workers.wait()
    return state.kept_metrics(recipe)


def _hold(workdir, workers, stack):
    """Keeps other runs out of the workdir until a stack is closed."""
    if workers.is_chief:
        stack.enter_context(workdir_lib.held(workdir))


def _restore(engine, state, saver):
    """Restores what the last checkpoint holds."""
    held, statistics = saver.restore()
    if held is None:
        engine.restore(None, None)
        return
    with checkpoint.taking(saver.directory):
        engine.restore(held, statistics)
        state.restore(held)


def _claim(workdir, recipe, engine, state, saver):
    """Takes the workdir, once all workers agree on where they resume."""
    workers = engine.workers
    workdir_lib.check_same_step(workdir, workers.gather(state.step))

    def claim():
        if workers.is_chief:
            workdir_lib.claim(workdir, recipe, engine.describe())
        if workers.is_chief and state.step < recipe.steps:
            saver.check()

    workers.together(claim)
    workers.together(lambda: workdir_lib.check_shared(workdir, recipe))


@contextlib.contextmanager
def _closing(hooks):
    """Closes all hooks, whatever ends the session."""
    with contextlib.ExitStack() as stack:
        for hook in hooks:
            stack.callback(hook.close)
        yield


def _save_results(workdir, recipe, engine, splits):
    engine.list_masked(workdir)
    with engine.with_ema_weights():
        final_files.save_model(
            workdir, engine.model, recipe, splits["train"].class_names
        )
