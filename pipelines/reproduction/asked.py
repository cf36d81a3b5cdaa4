"""Which runs the flags of both reproducing commands ask for. No TensorFlow."""

import pathlib

from absl import flags
from reproduction import jobs
from reproduction import results

from keras_resnet.commands import recipe_flags
from keras_resnet.commands import running
from keras_resnet.errors import lookup

FLAGS = flags.FLAGS
DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def define(scale, workdir, data):
    """Defines the flags of both commands.

    Args:
        scale, workdir: defaults.
        data: words on --data_dir.
    """
    flags.DEFINE_string("experiment", None, "Name of an experiment.")
    flags.DEFINE_string(
        "scale",
        scale,
        "quick: reduced, on a laptop; full: the papers'; quarter: a quarter of "
        "their iterations. Default: quick where the experiment has it, and "
        "full on JAX.",
    )
    flags.DEFINE_list("rows", None, "Rows to run. Default: those of the scale.")
    flags.DEFINE_list(
        "seeds", None, "Seeds to run. Default: as many as planned."
    )
    flags.DEFINE_string("workdir", workdir, "Directory of all runs.")
    flags.DEFINE_string("data_dir", None, data)
    flags.DEFINE_string(
        "docs_dir", str(DOCS), "Where results/ and the report are."
    )
    recipe_flags.define()


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
