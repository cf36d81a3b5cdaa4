"""Runs jobs one after the other; each leaves a record."""

import importlib
import time

import keras
from reproduction import jobs
from reproduction import results as results_lib
from reproduction import training

from keras_resnet import files
from keras_resnet.errors import DivergedError
from keras_resnet.training.signals import Interrupted


def run(experiment, todo, results, say=print, *, run_job=None, describe=None):
    """Runs what has no record yet.

    Args:
        experiment: `jobs.Experiment`.
        todo: list of its `jobs.Job`.
        results: `results.Results` that take the records.
        say: function that takes a line on the progress.
        run_job: job -> result. Default: `run` of the experiment's module.
        describe: () -> dict, the environment. Default: TensorFlow's.

    Returns:
        int: 0, or the exit status that a signal asks for.

    Raises:
        keras_resnet.UsageError: if a setting, the data or a workdir cannot
            work. A divergence becomes a record. A row is skipped if it needs
            others that have not run, or if another process runs it.
    """
    curves = experiment.module == "curves"
    if run_job is None:
        module = importlib.import_module(f"reproduction.{experiment.module}")
        run_job = module.run
    for number, job in enumerate(todo, start=1):
        what = f"[{number}/{len(todo)}] {' '.join(map(str, job.key))}"
        if results.find(job):
            say(f"{what}: has a record")
            continue
        if curves and (same := results.elsewhere(job)):
            results.add(job, same)
            say(f"{what}: has the record of another table")
            continue
        say(f"{what}: {job.workdir}")
        try:
            record = _record(job, run_job, describe or _on_tensorflow)
        except Interrupted as stop:
            say(f"{stop}. The same command goes on from there.")
            return stop.status
        except (jobs.NotReadyError, files.BusyError) as why:
            # No record. The same command runs it once what it needs is there.
            # If another process runs it, that process writes the record.
            say(f"{what}: not run. {why}")
            continue
        results.add(job, record)
        say(f"{what}: {record['status']}, {record['seconds']:.0f} s")
        keras.backend.clear_session()
    return 0


def _record(job, run_job, describe):
    job.workdir.mkdir(parents=True, exist_ok=True)
    with files.locked(job.workdir, "It runs this row."):
        pass  # refused before data are read
    start = time.perf_counter()
    try:
        result, status, why = run_job(job), results_lib.FINISHED, ""
    except DivergedError as error:
        result = training.summary(job.workdir)
        status, why = results_lib.FAILED, str(error).partition(":")[0]
    return {
        "status": status,
        "why": why,
        "seconds": training.seconds(job.workdir)
        or round(time.perf_counter() - start, 1),
        "environment": describe(),
        "result": result,
    }


def _on_tensorflow():
    from keras_resnet.training import distribution
    from keras_resnet.training import environment

    return environment.describe(distribution.make_strategy("one_device"))
