"""A table as a folder of Parquet files, written part by part.

Parquet cannot be appended to. Each part is whole or not there, and says in
its metadata what made it and how far it goes, so that a later process can go
on after the last one.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import re

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

# The mark of Hadoop and Spark for a folder that is complete.
SUCCESS = "_SUCCESS"
KEY = b"keras_resnet"

_PART = re.compile(r"part-\d{5,}\.parquet")
_START_OVER = "Pass --force to start over, or another --output."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a table goes.

    Attributes:
        rows: up to the end of the last part.
        errors: how many of the rows have an error.
        digest: of `sources.Cursor` there.
    """

    rows: int = 0
    errors: int = 0
    digest: str = hashlib.sha256().hexdigest()


@contextlib.contextmanager
def hold(folder, made_by, *, force=False):
    """The `Parts` of a folder, for one process at a time.

    Args:
        folder: path; made if missing.
        made_by: {what: str, int or bool}, all that decides the rows.
        force: bool, remove the parts that are there.

    Raises:
        keras_resnet.UsageError: if the folder holds something else, parts
            that were made by something else, or damaged ones, or another
            process writes to it.
    """
    # Imported here, so that it fails before the work.
    import pyarrow.parquet  # noqa: F401

    require(
        "://" not in str(folder),
        "The output must be a folder of this machine. Received: "
        f"{str(folder)!r}.",
    )
    folder = pathlib.Path(folder)
    _check(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    with files.locked(folder, "Wait for it, or pass another --output."):
        if force:
            for name in (*_names(folder), SUCCESS):
                (folder / name).unlink(missing_ok=True)
        yield Parts(folder, made_by)


def _check(folder):
    if not os.path.lexists(folder):
        return
    require(
        folder.is_dir(),
        f"{str(folder)!r} is a file; the output is a folder of Parquet "
        "files, which readers take as one table. Pass another --output.",
    )
    others = sorted(
        name
        for name in os.listdir(folder)
        if not (_PART.fullmatch(name) or name == SUCCESS or name[0] == ".")
    )
    require(
        not others,
        f"{str(folder)!r} holds what is no part of a table: "
        f"{', '.join(others[:5])}. Pass another --output.",
    )


def _names(folder):
    """The names of the parts, in order."""
    names = filter(_PART.fullmatch, os.listdir(folder))
    return sorted(names, key=lambda name: (len(name), name))


class Parts:
    """The parts of a table that are whole.

    Attributes:
        progress: `Progress` up to the end of the last one.
        number: how many there are.
        is_complete: whether the table is.
    """

    def __init__(self, folder, made_by):
        self._folder, self._made_by = folder, made_by
        names = _names(folder)
        self.number, self.progress = len(names), Progress()
        self.is_complete = bool(names) and (folder / SUCCESS).exists()
        if names:
            self.progress = self._read(names)
        elif (folder / SUCCESS).exists():
            (folder / SUCCESS).unlink()

    def _read(self, names):
        rows = 0
        for number, name in enumerate(names):
            require(
                name == _name(number),
                f"{str(self._folder)!r} has no {_name(number)}, but a later "
                f"part. {_START_OVER}",
            )
            made_by, progress, found = _footer(self._folder / name)
            rows += found
            require(
                rows == progress.rows,
                f"{str(self._folder / name)!r} ends at row {progress.rows:,} "
                f"of its table, but there are {rows:,} up to it. "
                f"{_START_OVER}",
            )
            self._refuse_another(name, made_by)
        return progress

    def _refuse_another(self, name, made_by):
        changed = [
            f"{what}={made_by.get(what)!r} then, {value!r} now"
            for what, value in self._made_by.items()
            if made_by.get(what) != value
        ]
        require(
            not changed,
            f"{str(self._folder / name)!r} was made by something else: "
            f"{'; '.join(changed)}. {_START_OVER}",
        )

    def write(self, table, progress):
        """Adds a `pyarrow.Table` as a part, and the `Progress` with it.

        Raises:
            keras_resnet.UsageError: if it cannot be written.
        """
        import pyarrow.parquet

        record = {
            "made_by": self._made_by,
            "progress": dataclasses.asdict(progress),
        }
        table = table.replace_schema_metadata({KEY: json.dumps(record)})
        path = self._folder / _name(self.number)
        try:
            with files.replacing(path) as unfinished:
                # Opened here: Arrow would take some names for addresses.
                with open(unfinished, "wb") as file:
                    pyarrow.parquet.write_table(table, file)
        except OSError as error:
            raise _cannot_write(path, error) from error
        self.number, self.progress = self.number + 1, progress

    def finish(self):
        """Marks the table as complete."""
        files.write_text(self._folder / SUCCESS, "")
        self.is_complete = True


def _name(number):
    return f"part-{number:05d}.parquet"


def _footer(path):
    """(made by, `Progress`, rows of this part) of a part."""
    import pyarrow
    import pyarrow.parquet

    try:
        with open(path, "rb") as file:
            footer = pyarrow.parquet.read_metadata(file)
        record = json.loads(footer.metadata[KEY])
        return (
            dict(record["made_by"]),
            Progress(**record["progress"]),
            footer.num_rows,
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(
            f"{str(path)!r} is damaged, or was not written by this command: "
            f"{error!r}. {_START_OVER}"
        ) from error


def _cannot_write(path, error):
    why = error.strerror or error
    return UsageError(
        f"Cannot write {str(path)!r}: {why}. What was written before stays; "
        "the same command goes on after it."
    )
