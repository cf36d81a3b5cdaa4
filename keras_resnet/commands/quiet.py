"""Other programs' words kept off the terminal, until something fails."""

import contextlib
import logging
import os
import pathlib
import sys
import tempfile
import warnings

import absl.logging

import keras_resnet

# Not the checkout: an environment may lie in it.
_OURS = {
    pathlib.Path(file).resolve().parent
    for file in (__file__, keras_resnet.__file__)
}


@contextlib.contextmanager
def others():
    """Only what this project logs is shown; the rest if the body fails.

    Converters print hints for their own developers, from C++ too. Where the
    body raises anything but an error for the user, all they said is printed.
    """
    from keras_resnet.errors import UsageError

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


@contextlib.contextmanager
def _redirected(lines):
    """Both streams of the process go to a file, Python's own stay."""
    kept = {}
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        kept[stream.fileno()] = os.dup(stream.fileno())
    ours = sys.stdout, sys.stderr
    handler = absl.logging.get_absl_handler().python_handler
    logged_to = handler.stream
    try:
        sys.stdout, sys.stderr = (
            open(kept[s.fileno()], "w", buffering=1, closefd=False)
            for s in ours
        )
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


@contextlib.contextmanager
def _own_words():
    """Python's loggers and warnings speak only where the project calls."""

    def is_ours(record):
        parents = pathlib.Path(record.pathname).resolve().parents
        return not _OURS.isdisjoint(parents)

    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(is_ours)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_ours)
