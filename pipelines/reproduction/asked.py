"""Which runs the flags of both reproducing commands ask for. No TensorFlow."""

import pathlib

from absl import flags
from reproduction import jobs
from reproduction import results

from keras_resnet.commands import recipe_flags
from keras_resnet.commands import running
from keras_resnet.errors import lookup

FLAGS = flags.FLAGS


def runs(experiments, kind="experiment", **fields):
    """What the flags name.

    Args:
        experiments: {name: `jobs.Experiment`}.
        kind: what a name is, for the message.
        **fields: of the recipe, in place of the setting's; flags win.

    Returns:
        (experiment, list of `jobs.Job`, `results.Results`).

    Raises:
        keras_resnet.UsageError: if a name is unknown or a value cannot work.
    """
    name = FLAGS.experiment
    experiment = lookup(experiments, name, kind)
    overrides = {**fields, **recipe_flags.overrides()}
    todo = jobs.make(
        name,
        experiment,
        FLAGS.scale or next(iter(experiment.settings)),
        dataset=overrides.pop("dataset", None),
        rows=FLAGS.rows,
        seeds=FLAGS.seeds and running.integers("seeds", FLAGS.seeds),
        workdir=FLAGS.workdir,
        data_dir=FLAGS.data_dir,
        overrides=overrides,
    )
    folder = pathlib.Path(FLAGS.docs_dir) / "results"
    return experiment, todo, results.Results(folder, name)
