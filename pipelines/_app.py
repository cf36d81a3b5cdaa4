"""How programs of the checkout start on TensorFlow, quietly."""

import pathlib
import sys

# The library of this checkout, whether it is installed or not.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from keras_resnet.commands import start  # noqa: E402

start.start_tensorflow(f"python pipelines/{pathlib.Path(sys.argv[0]).name}")

from keras_resnet.commands.running import integers as integers  # noqa: E402
from keras_resnet.commands.running import no_arguments as no_arguments  # noqa: E402
from keras_resnet.commands.running import run as run  # noqa: E402
