"""Saves a run: what happens on failure, and what checkpoints must match."""

import hashlib

from absl import logging

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.training import environment as environment_lib
from keras_resnet.training import workdir as workdir_lib
from keras_resnet.training.checkpoints import checkpoint
from keras_resnet.training.checkpoints import folder
from keras_resnet.training.checkpoints.checkpoint import BEST


class Saver:
    """Saves and restores the checkpoints of a run.

    Args:
        workdir: pathlib.Path of the run.
        engine: `engines.engine.Engine`, for its variables and environment.
        recipe: `recipes.Recipe`: keep_checkpoints, keep_every_steps.
        splits: {name: `datasets.Split`} of the run.
    """

    FAILURES = 3  # this many in a row end the run

    def __init__(self, workdir, engine, recipe, splits):
        self.directory = workdir / workdir_lib.CHECKPOINTS
        self.variables = engine.variables
        self._keep = {
            "keep": recipe.keep_checkpoints,
            "keep_every": recipe.keep_every_steps,
        }
        self._recipe = workdir_lib.fields(recipe)
        self._environment = engine.environment()
        self._data = {name: _describe(s) for name, s in splits.items()}
        self._failures = 0
        self._model, self._is_chief = engine.model, engine.workers.is_chief
        self._best = workdir / BEST

    def newest(self):
        """A sentence on the newest checkpoint, for messages."""
        paths = folder.found(self.directory)
        if not paths:
            return "There is no checkpoint yet."
        return f"The last good checkpoint is {paths[-1]}."

    def check(self):
        """Refuses a directory that cannot take checkpoints.

        Raises:
            keras_resnet.UsageError: if it cannot be written or has no room.
        """
        try:
            folder.make_room(self.directory, self.variables)
        except OSError as error:
            raise UsageError(
                f"Checkpoints cannot be written into {self.directory}: "
                f"{error.strerror or error}. Make room, or take another "
                "--workdir."
            ) from error

    def save(self, step, state, *, statistics=None, last=False):
        """Saves; a failure is an error in the log and the run goes on.

        Args:
            step, state, statistics: as `folder.save`.
            last: whether the run stops after it, so that a failure is raised.

        Raises:
            keras_resnet.UsageError: if it fails and is the last, or the third
                failure in a row.
        """
        state = {
            **state,
            "recipe": self._recipe,
            "environment": self._environment,
            "data": self._data,
        }
        try:
            folder.save(
                self.directory,
                step,
                self.variables,
                state,
                statistics=statistics,
                best=self._best if self._best.exists() else None,
                **self._keep,
            )
        except folder.SaveError as error:
            self._failures += 1
            message = (
                f"The checkpoint of step {step} could not be written into "
                f"{self.directory}: {error}. {self.newest()}"
            )
            if last or self._failures == self.FAILURES:
                raise UsageError(
                    f"{message} Make room or make it writable; the same "
                    "command goes on from there."
                ) from error
            logging.error(
                "%s Training goes on; failure %d of %d in a row.",
                message,
                self._failures,
                self.FAILURES,
            )
        else:
            self._failures = 0

    def save_best(self):
        """Writes the network of the best evaluation so far, on the chief."""
        if self._is_chief:
            with files.replacing(self._best) as path:
                self._model.save(path)

    def _take_best(self, path):
        """Restores the best network of a checkpoint."""
        held = path / BEST
        if self._is_chief and held.exists():
            files.link(held, self._best)
        elif self._is_chief and self._best.exists():
            self._best.unlink()

    def restore(self):
        """Assigns the newest checkpoint that is whole; logs damaged ones.

        Returns:
            (state, statistics) as `folder.save` got them; (None, None) if there
            is no checkpoint.

        Raises:
            keras_resnet.UsageError: if none is whole, or it is of another
                recipe, network or data.
        """
        state, statistics, damaged = folder.restore(
            self.directory, self.variables, self._check, self._take_best
        )
        for message in damaged:
            logging.error(message)
        if state is None:
            return None, None
        with checkpoint.taking(self.directory):
            before, now = state["environment"], self._environment
            changes = environment_lib.changes(before, now)
        if changes:
            logging.warning(
                "The checkpoint was written under other conditions (%s), so "
                "the result will not be the same bit for bit.",
                changes,
            )
        return state, statistics

    def _check(self, state):
        with checkpoint.taking(self.directory):
            self._check_same(state)

    def _check_same(self, state):
        differences = workdir_lib.differences(state["recipe"], self._recipe)
        if differences:
            raise UsageError(
                f"The checkpoints in {self.directory} are of another recipe "
                f"({differences}). Take another --workdir."
            )
        for name, now in self._data.items():
            then = state["data"][name]
            require(
                then == now,
                f"The {name} data have changed since the checkpoints in "
                f"{self.directory} were written: {then['examples']} examples "
                f"then, {now['examples']} now, or other classes or labels. "
                "Put them back, or take another --workdir.",
            )


def _describe(split):
    """What decides the order and the labels of a split, without its pixels."""
    names = "\n".join(split.class_names).encode(errors="surrogateescape")
    labels = b"" if split.labels is None else split.labels.tobytes()
    return {
        "examples": split.num_examples,
        "classes": hashlib.sha256(names).hexdigest(),
        "labels": hashlib.sha256(labels).hexdigest(),
    }
