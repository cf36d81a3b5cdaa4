"""The checkpoints of one run: when saving fails, and what they must match."""

import hashlib
import pathlib

from absl import logging

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.training import checkpoint
from keras_resnet.training import environment
from keras_resnet.training import workdir as workdir_lib


class Saver:
    """Saves and restores the checkpoints of a run.

    Args:
        directory: of all checkpoints of the run.
        variables: from `checkpoint.variables_by_path`.
        recipe: `recipes.Recipe`: keep_checkpoints, keep_every_steps.
        strategy: `tf.distribute.Strategy`.
        splits: {name: `datasets.Split`} of the run.
    """

    FAILURES = 3  # in a row end the run

    def __init__(self, directory, variables, recipe, strategy, splits):
        self.directory, self.variables = pathlib.Path(directory), variables
        self._keep = {
            "keep": recipe.keep_checkpoints,
            "keep_every": recipe.keep_every_steps,
        }
        self._recipe = workdir_lib.fields(recipe)
        self._environment = environment.describe(strategy)
        self._data = {name: _describe(s) for name, s in splits.items()}
        self._failures = 0

    def newest(self):
        """A sentence on the newest checkpoint, for messages."""
        paths = checkpoint.found(self.directory)
        if not paths:
            return "There is no checkpoint yet."
        return f"The last good checkpoint is {paths[-1]}."

    def check(self):
        """Refuses a directory that cannot take a checkpoint.

        Raises:
            keras_resnet.UsageError: if it cannot be written or has no room.
        """
        try:
            checkpoint.make_room(self.directory, self.variables)
        except OSError as error:
            raise UsageError(
                f"Checkpoints cannot be written into {self.directory}: "
                f"{error.strerror or error}. Make room, or take another "
                "--workdir."
            ) from error

    def save(self, step, state, *, statistics=None, last=False):
        """Saves; a failure is an error in the log and the run goes on.

        Args:
            step, state, statistics: as `checkpoint.save`.
            last: whether the run stops after it, so that a failure counts.

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
            checkpoint.save(
                self.directory,
                step,
                self.variables,
                state,
                statistics=statistics,
                **self._keep,
            )
        except checkpoint.SaveError as error:
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

    def restore(self):
        """Assigns the newest checkpoint that is whole, and says what is not.

        Returns:
            (state, statistics) as `checkpoint.save` got them; (None, None)
            where there is no checkpoint.

        Raises:
            keras_resnet.UsageError: if none is whole, or it is of another
                recipe, network or data.
        """
        state, statistics, damaged = checkpoint.restore(
            self.directory, self.variables, self._check
        )
        for message in damaged:
            logging.error(message)
        if state is None:
            return None, None
        changes = environment.changes(state["environment"], self._environment)
        if changes:
            logging.warning(
                "The checkpoint was written under other conditions (%s), so "
                "the result will not be the same bit for bit.",
                changes,
            )
        return state, statistics

    def _check(self, state):
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
    """What of a split decides its order and its labels; not its pixels."""
    names = "\n".join(split.class_names).encode(errors="surrogateescape")
    labels = b"" if split.labels is None else split.labels.tobytes()
    return {
        "examples": split.num_examples,
        "classes": hashlib.sha256(names).hexdigest(),
        "labels": hashlib.sha256(labels).hexdigest(),
    }
