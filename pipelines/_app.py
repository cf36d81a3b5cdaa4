"""How every command starts, and how it tells a user what is wrong."""

import os
import pathlib
import sys

# The commands run from a checkout too, as `python pipelines/train.py`.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# TensorFlow's start-up notes hide our own output; its errors stay.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

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


def load_model(path):
    """The Keras model of a .keras file that `train.py` wrote."""
    import keras

    import keras_resnet  # noqa: F401  registers the layers

    if not pathlib.Path(path).is_file():
        raise UsageError(f"There is no model file {path!r}.")
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{path!r} is not a .keras file that this library can read: "
            f"{reason}"
        ) from error
