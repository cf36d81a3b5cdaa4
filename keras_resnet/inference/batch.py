"""Predictions for any number of images, in a table that can be continued.

Memory does not depend on the number of images: they are listed, read, decoded
and classified as a stream, and a part of the table is written once it is full.
"""

import contextlib
import dataclasses
import hashlib
import json
import sys
import threading
import time

import tqdm

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.inference import kinds
from keras_resnet.inference import parallel
from keras_resnet.inference import parts as parts_lib
from keras_resnet.inference import sources
from keras_resnet.inference import streams
from keras_resnet.inference.artifact import sha256
from keras_resnet.inference.rows import Rows
from keras_resnet.inference.tflite_metadata import find_card
from keras_resnet.labels.view import View

_NAMED = 5  # images that a summary names


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be predicted, and where it goes.

    Attributes:
        model: path of an artifact of any format, beside labels.txt and
            card.json; a .tflite file may carry both inside.
        input: as `sources.open_source` takes it.
        output: path of the folder of the table.
        top: classes of an image, the most probable ones.
        probabilities: whether to keep those of all classes too.
        batch_size: images that are classified at once.
        rows_per_part: images of a part: what is lost when a process dies.
        max_errors: how many images may be unreadable; None for any number.
        threads: interpreters of a TFLite file; None for one a core.
    """

    model: str
    input: str
    output: str
    top: int = 5
    probabilities: bool = False
    batch_size: int = 32
    rows_per_part: int = 10_000
    max_errors: int | None = None
    threads: int | None = None

    def __post_init__(self):
        for name in ("top", "batch_size", "rows_per_part", "threads"):
            value = getattr(self, name)
            require(
                value is None or value >= 1,
                f"{name} must be at least 1. Received: {name}={value!r}.",
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """What a run has done.

    Attributes:
        rows: of the whole table.
        errors: of these, images that cannot be read.
        parts: files of the table.
        earlier_rows: rows that an earlier run had written.
        seconds: wall time of the other rows, without loading.
        named: [(image, why it cannot be read)], the first few of this run.
    """

    rows: int
    errors: int
    parts: int
    earlier_rows: int
    seconds: float
    named: list


def run(job, *, force=False):
    """Classifies all images of a source; goes on where an earlier run ended.

    Args:
        job: `Job`.
        force: bool, remove an earlier table of the output.

    Returns:
        `Summary`.

    Raises:
        keras_resnet.UsageError: if there is no model or no image; if the
            output is of another model, other settings or other images; if
            more images than `max_errors` cannot be read. The parts that are
            written stay, and the same job goes on after them.
    """
    kinds.recognise(job.model)  # before a missing card is reported
    source = sources.open_source(job.input)
    card = find_card(job.model)
    network = parallel.Network(job.model, card, threads=job.threads)
    made_by = _made_by(job, card)
    with parts_lib.hold(job.output, made_by, force=force) as parts:
        cursor, named = sources.Cursor(source), []
        earlier = parts.progress.rows
        _go_on(cursor, parts, job)
        start = time.perf_counter()
        if not parts.is_complete:
            named = _predict(job, card, source, cursor, network, parts)
        return Summary(
            rows=parts.progress.rows,
            errors=parts.progress.errors,
            parts=parts.number,
            earlier_rows=earlier,
            seconds=time.perf_counter() - start,
            named=named,
        )


def _made_by(job, card):
    """All that decides the rows of a table, apart from the images."""
    view = [card.class_names, card.eval_resize, card.image_size]
    view += [card.exif] if card.exif != "ignore" else []  # as in old tables
    view += [card.multi_label] * card.multi_label
    return {
        "model": sha256(job.model),
        "labels": hashlib.sha256(json.dumps(view).encode()).hexdigest(),
        "input": sources.normal(job.input),
        "top": job.top,
        "probabilities": job.probabilities,
        "batch_size": job.batch_size,  # rounding depends on it
        "rows_per_part": job.rows_per_part,
    }


def _go_on(cursor, parts, job):
    """Moves a cursor to the end of the table; refuses one of other images."""
    rows = parts.progress.rows
    cursor.skip(rows)
    advice = "Pass --force to start over, or another --output."
    require(
        cursor.digest == parts.progress.digest,
        f"The first {rows:,} images of {job.input!r} are not those that "
        f"{str(job.output)!r} has: files were added, removed or renamed. "
        f"{advice}",
    )
    if parts.is_complete:
        cursor.skip(1)
        require(
            cursor.position == rows,
            f"{str(job.output)!r} is complete, but {job.input!r} has more "
            f"images than its {rows:,} now. {advice}",
        )


def _predict(job, card, source, cursor, network, parts):
    """Writes the rest of a table; returns the first bad images."""
    batches = streams.batches(
        source,
        cursor,
        View.of(card),
        batch_size=job.batch_size,
        boundary=job.rows_per_part,
    )
    with tqdm.tqdm(
        initial=cursor.position,
        unit=" images",
        leave=False,
        disable=not sys.stderr.isatty(),
    ) as bar:
        if not bar.disable:
            _count(source, bar)
        return _write(job, card, parts, network, batches, bar)


def _count(source, bar):
    """Tells a bar its total once it is known, from a thread."""

    def count():
        # If it cannot be listed, the run will say so.
        with contextlib.suppress(UsageError):
            bar.total = sum(map(len, source.pieces()))

    # Counting the records of a remote file would read it.
    if not source.is_remote:
        threading.Thread(target=count, daemon=True).start()


def _write(job, card, parts, network, batches, bar):
    names, named = card.class_names, []
    top = min(job.top, len(names))
    rows = Rows(
        names,
        top=top,
        probabilities=job.probabilities,
        multi_label=card.multi_label,
    )
    progress = parts.progress  # up to the last row that was added
    for batch in batches:
        bad = [(batch.describe(i), why) for i, why in batch.problems.items()]
        named += bad[: _NAMED - len(named)]
        progress = parts_lib.Progress(
            rows=progress.rows + len(batch),
            errors=progress.errors + len(bad),
            digest=batch.digest,
        )
        if bad:
            _check(job, progress.errors, *bad[-1])
        rows.add(batch, network.predict(batch.images))
        if progress.rows % job.rows_per_part == 0:
            parts.write(rows.take(), progress)
        bar.update(len(batch))
    if len(rows):
        parts.write(rows.take(), progress)
    parts.finish()
    return named


def _check(job, errors, image, why):
    limit = errors if job.max_errors is None else job.max_errors
    require(
        errors <= limit,
        f"Cannot read {image}: {why}. That makes {errors:,} where "
        f"--on_bad_image allows {limit:,}. Remove or replace such images, "
        "or allow more; the same command goes on after the last part.",
    )
