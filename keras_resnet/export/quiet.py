"""Keeps other programs' output off the terminal until something fails."""

import contextlib
import logging
import os
import pathlib
import sys
import tempfile
import warnings

import absl.logging

from keras_resnet import progress
from keras_resnet.errors import UsageError

# Not the checkout: it may contain a virtual environment.
_OURS = pathlib.Path(__file__).resolve().parents[1]
_STREAMS = (1, 2)  # numbers of stdout and stderr, where C++ writes


@contextlib.contextmanager
def others():
    """Shows only what this project logs; the rest if the body fails.

    Converters print hints for their own developers, from C++ too. If the body
    raises anything but a `UsageError`, all their output is printed.
    """
    with tempfile.TemporaryFile() as lines, _own_words():
        with _redirected(lines):
            try:
                yield
            except UsageError:
                raise
            except BaseException:
                lines.seek(0)
                sys.stderr.write(lines.read().decode(errors="replace"))
                raise


def others_in_notebook():
    """`others` in a notebook only: a terminal belongs to its program."""
    if progress.notebook() is None:
        return contextlib.nullcontext()
    return others()


@contextlib.contextmanager
def _redirected(lines):
    """Sends both streams of the process to a file; Python's own stay."""
    ours = sys.stdout, sys.stderr
    for stream in ours:
        stream.flush()
    kept = {number: os.dup(number) for number in _STREAMS}
    handler = absl.logging.get_absl_handler().python_handler
    logged_to = handler.stream
    try:
        sys.stdout, sys.stderr = (_past(stream, kept) for stream in ours)
        handler.setStream(sys.stderr)
        for number in kept:
            os.dup2(lines.fileno(), number)
        yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        sys.stdout, sys.stderr = ours
        handler.setStream(logged_to)


def _past(stream, kept):
    """A stream to the copy of a redirected one; a notebook's stays."""
    try:
        copy = kept.get(stream.fileno())
    except OSError:  # it has no number
        copy = None
    if copy is None:
        return stream
    return open(copy, "w", buffering=1, closefd=False)


@contextlib.contextmanager
def _own_words():
    """Drops warnings, and log records from outside this project."""

    def is_ours(record):
        return _OURS in pathlib.Path(record.pathname).resolve().parents

    # TensorFlow's own logger has a handler of its own in a notebook.
    known = logging.root.manager.loggerDict.values()
    loggers = [log for log in known if isinstance(log, logging.Logger)]
    handlers = {
        handler for log in [logging.root, *loggers] for handler in log.handlers
    }
    for handler in handlers:
        handler.addFilter(is_ours)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_ours)
