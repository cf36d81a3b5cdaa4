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
