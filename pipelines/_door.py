"""`python pipelines/train.py`: the command that `keras-resnet train` is."""

import pathlib
import sys

# The library of this checkout, whether it is installed or not.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from keras_resnet.commands import doors  # noqa: E402


def open(command):
    """Runs a command with the words that this program was given."""
    sys.exit(doors.run(command, sys.argv, door="python pipelines/{}.py"))
