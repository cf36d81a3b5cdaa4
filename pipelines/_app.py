"""How every command starts, and how it tells a user what is wrong."""

import os
import pathlib
import sys
import tempfile

# The commands run from a checkout too, as `python pipelines/train.py`.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# TensorFlow's notes would hide our own output; its errors stay.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _start_tensorflow():
    """Imports TensorFlow without the lines it always prints on the way.

    They tell of missing CUDA drivers on every machine without a GPU. Should
    it fail, they are printed after all.
    """
    with tempfile.TemporaryFile() as lines:
        stderr = os.dup(2)
        os.dup2(lines.fileno(), 2)
        try:
            import tensorflow as tf

            import keras_resnet  # noqa: F401  registers its layers

            tf.config.list_physical_devices()
        except BaseException:
            lines.seek(0)
            os.write(stderr, lines.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


_start_tensorflow()

from absl import app  # noqa: E402
from absl import logging  # noqa: E402

from keras_resnet.errors import UsageError  # noqa: E402


def run(main):
    """Runs `main(args)`: one line instead of a stack trace for a user's error.

    `args` are the words of the command line that are not flags. The exit
    status is what `main` returns, 2 after a `UsageError`.
    """

    def guarded(argv):
        logging.set_verbosity(logging.WARNING)
        try:
            sys.exit(main(argv[1:]) or 0)
        except UsageError as error:
            print(f"ERROR: {error}", file=sys.stderr)
            sys.exit(2)

    app.run(guarded)


def no_arguments(args):
    """Refuses words that are not flags: `--workdir runs` is fine, `runs` not.

    Raises:
        UsageError: if there are any.
    """
    if args:
        raise UsageError(
            f"This command takes flags only, --name=value. Received: "
            f"{' '.join(args)!r}."
        )


def integers(name, words):
    """A tuple of ints from the words of a list flag."""
    try:
        return tuple(int(word) for word in words)
    except ValueError as error:
        raise UsageError(
            f"--{name} takes integers separated by commas. "
            f"Received: {','.join(words)!r}."
        ) from error
