"""Trains the networks of experiments on JAX, for a GPU; without TensorFlow.

    python pipelines/reproduce_on_jax.py --experiment=degradation \\
        --dataset=fashion_mnist --data_dir=/usr/share/datasets/fashion-mnist

As reproduce.py, for the experiments whose result is a trained network: all
data and the state stay on the device, many iterations are one compiled
function, and convolutions are in bfloat16 unless --dtype=float32. --data_dir is
the folder of the data set's own files: Fashion-MNIST's and MNIST's four .gz,
CIFAR-10's binary version. The records have images/s and their part of the
device's measured matrix rate. Several processes of one command share the runs,
and a GPU if the environment says XLA_PYTHON_CLIENT_PREALLOCATE=false.

It needs JAX and this package's requirements but for TensorFlow. Exit status as
that of train.py: 0 done, 130 and 75 after a signal.
"""

import functools
import os
import pathlib
import sys

# Set before Keras is imported. Otherwise Keras loads an installed TensorFlow to
# seed its generator, and TensorFlow could take the GPU's memory.
os.environ["KERAS_BACKEND"] = "jax"
sys.modules["tensorflow"] = None
# The command runs from a checkout too.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import flags  # noqa: E402
from reproduction import asked  # noqa: E402
from reproduction import experiments  # noqa: E402
from reproduction import jax_training  # noqa: E402
from reproduction import runs  # noqa: E402

from keras_resnet.commands import running  # noqa: E402
from keras_resnet.errors import require  # noqa: E402
from keras_resnet.training import checks  # noqa: E402
from keras_resnet.training.engines import on_jax  # noqa: E402

FLAGS = flags.FLAGS
asked.define("full", "runs/jax", "Folder of the data set's own files.")
flags.DEFINE_integer(
    "matrix_side",
    8192,
    "Of the matrices of the measured rate; 0 for none.",
    lower_bound=0,
)


def main(args):
    running.no_arguments(args)
    trained = {
        name: experiment
        for name, experiment in experiments.EXPERIMENTS.items()
        if experiment.module == "curves"
    }
    experiment, todo, kept = asked.runs(
        trained, "experiment on JAX", dtype="mixed_bfloat16"
    )
    for job in todo:
        require(not job.held_out, "JAX has no scale rates yet.")
        checks.check_settings(job.recipe, on_jax.JaxEngine())
    return runs.run(
        experiment,
        todo,
        kept,
        run_job=functools.partial(
            jax_training.train, matrix_side=FLAGS.matrix_side
        ),
        describe=on_jax.environment,
    )


if __name__ == "__main__":
    running.run(main)
