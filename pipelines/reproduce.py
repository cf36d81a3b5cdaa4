"""Reproduces the papers' tables and figures, one experiment at a time.

    python pipelines/reproduce.py --list
    python pipelines/reproduce.py --experiment=degradation --scale=quick
    python pipelines/reproduce.py --experiment=degradation --scale=full \\
        --dataset=cifar10 --seeds=0,1,2,3,4
    python pipelines/reproduce.py --report
    python pipelines/reproduce.py --page=runs/curves.html

Each row of a table is run with several seeds. What is done is a record in
docs/results/EXPERIMENT.json and is not run again; a run that was cut off goes
on where it was. The same command again, in another process, shares the work.
--report writes docs/RESULTS.md and its pictures from the records; --page one
HTML file with the curves of every run, to choose among.

Exit status as that of train.py: 0 done, 130 and 75 after a signal.
"""

import pathlib

import _app
from absl import flags
from reproduction import asked
from reproduction import experiments
from reproduction import page
from reproduction import report
from reproduction import runs

from keras_resnet import files
from keras_resnet.errors import require
from keras_resnet.networks import execution

FLAGS = flags.FLAGS
asked.define(None, "runs/reproduce", "Where TensorFlow Datasets keeps data.")
flags.DEFINE_bool("list", False, "Show all experiments and what was run.")
flags.DEFINE_bool("report", False, "Write docs/RESULTS.md and its pictures.")
flags.DEFINE_string("page", None, "Write the page of all curves to this file.")


def main(args):
    _app.no_arguments(args)
    docs = pathlib.Path(FLAGS.docs_dir)
    given = [FLAGS.list, FLAGS.report]
    given += [flag is not None for flag in (FLAGS.experiment, FLAGS.page)]
    require(
        sum(given) == 1,
        "Pass one of --experiment=NAME, --list, --report and --page=FILE. "
        f"Experiments: {', '.join(experiments.EXPERIMENTS)}.",
    )
    if FLAGS.list:
        print(report.listing(docs / report.RESULTS))
        return 0
    if FLAGS.report:
        print(f"Written: {', '.join(map(str, report.write(docs)))}")
        return 0
    if FLAGS.page:
        return _write_page(docs / report.RESULTS, pathlib.Path(FLAGS.page))
    execution.require_tensorflow("An experiment")
    experiment, todo, kept = asked.runs(experiments.EXPERIMENTS)
    return runs.run(experiment, todo, kept)


def _write_page(folder, path):
    """Writes the page of the records in a folder; the exit status."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, page.document(report.all_records(folder)))
    print(f"Written: {path}")
    return 0


if __name__ == "__main__":
    _app.run(main)
