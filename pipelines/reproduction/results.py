"""The records of an experiment: one for each row and seed, in one JSON file.

A file is read, changed and replaced under a lock, so that several processes,
each with seeds of its own, can write to it.
"""

import contextlib
import dataclasses
import fcntl
import itertools
import json
import pathlib

from keras_resnet import files
from keras_resnet import recipes
from keras_resnet.errors import UsageError

FINISHED, FAILED = "finished", "failed"
_CURVE = {"train_error", "test_error", "curve", "held_out_error"}
_KEY = ("scale", "dataset", "row", "seed")


@dataclasses.dataclass(frozen=True)
class Results:
    """docs/results/NAME.json.

    Args:
        folder: of all results.
        name: of the experiment.

    Raises:
        keras_resnet.UsageError: where the file cannot be read.
    """

    folder: pathlib.Path
    name: str

    @property
    def path(self):
        return pathlib.Path(self.folder) / f"{self.name}.json"

    def records(self):
        """list of dict, in the order of scale, data set, row and seed."""
        if not self.path.exists():
            return []
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(
                f"{self.path} is not JSON: {error}. Restore it or delete it; "
                "what it held is run again."
            ) from error

    def find(self, job):
        """The record of a job with the same recipe, or None."""
        for record in self.records():
            if key(record) == job.key and is_of(record, job.recipe):
                return record
        return None

    def elsewhere(self, job):
        """The curve of a job's recipe in another experiment, or None.

        Tables share networks. Each is trained once for all of them.
        """
        for path in sorted(self.path.parent.glob("*.json")):
            for record in Results(self.folder, path.stem).records():
                # soak.json holds counts; other files hold more than curves.
                if not isinstance(record, dict):
                    continue
                if set(record["result"]) - _CURVE:
                    continue
                if record["scale"] == job.scale and is_of(record, job.recipe):
                    return record
        return None

    def add(self, job, record):
        """Puts the record of a job in place of an earlier one.

        Args:
            job: `jobs.Job`.
            record: dict of JSON values: status, why, seconds, environment and
                result.
        """
        place = dict(zip(_KEY, job.key, strict=False))
        record = {**place, **record, **place, "recipe": plain(job.recipe)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            others = [r for r in self.records() if key(r) != job.key]
            records = sorted([*others, record], key=key)
            lines = ",\n".join(map(json.dumps, records))
            files.write_text(self.path, f"[\n{lines}\n]\n")

    @contextlib.contextmanager
    def _locked(self):
        with open(self.path.with_name(f".{self.name}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def key(record):
    """What distinguishes a record from the others, as `jobs.Job.key`."""
    place = (record[name] for name in _KEY)
    return (*place, record["recipe"]["learning_rate"])


def finished(records):
    """The records of runs that did not diverge."""
    return [record for record in records if record["status"] == FINISHED]


def by_row(experiment, records):
    """{name: records} of the rows that have any, in the experiment's order."""
    rows = {
        name: [record for record in records if record["row"] == name]
        for name in experiment.rows
    }
    return {name: found for name, found in rows.items() if found}


def by_setting(records):
    """{(scale, data set): records}, in the order of `Results.records`."""
    pairs = itertools.groupby(records, lambda r: (r["scale"], r["dataset"]))
    return {pair: list(of_one) for pair, of_one in pairs}


def how(records, steps=None):
    """How records came about, in words: steps, batch, images and devices.

    `steps` are the iterations that were run, if not the recipe's.
    """
    facts = {
        "steps": set(steps or (r["recipe"]["steps"] for r in records)),
        "images a step": {r["recipe"]["batch_size"] for r in records},
        "training images": {
            r["recipe"].get("train_examples", 0) for r in records
        },
        "pixels": {r["recipe"]["image_size"] for r in records},
    }
    words = [
        f"{' or '.join(map(str, sorted(values)))} {name}"
        for name, values in facts.items()
        if values != {0}
    ]
    dtypes = {r["recipe"].get("dtype", "float32") for r in records}
    devices = {r["environment"]["device"] for r in records}
    words += sorted(dtypes - {"float32"}) + sorted(devices)
    return ", ".join(words)


def is_of(record, recipe):
    """Whether a record is of a recipe; fields it lacks had their defaults."""
    held = {**plain(recipes.Recipe()), **record["recipe"]}
    return held == plain(recipe)


def plain(recipe):
    """A recipe as it comes back from JSON."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))
