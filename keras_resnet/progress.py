"""Progress of long work, for a terminal or a notebook; not a pipe or a log."""

import contextlib
import shutil
import sys
import threading
import time

import tqdm
from absl import logging

from keras_resnet.errors import printable_lines

TICK = 1  # seconds between two drawings of a bar

_FORMAT = (
    "{desc}{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} steps, "
    "{elapsed} so far, {left} left{postfix}"
)


def notebook():
    """The shell of IPython that runs in a notebook, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if getattr(shell, "kernel", None) else None


def is_watched():
    """Whether a terminal or a notebook shows our messages."""
    return sys.stderr.isatty() or notebook() is not None


def say(text, log=False):
    """Prints what begins now, if a terminal or a notebook shows it.

    Args:
        text: one line.
        log: whether a pipe or a log gets it too.
    """
    if log or is_watched():
        print(printable_lines(text), file=sys.stderr, flush=True)


def show_picture(path, place=None):
    """Shows a PNG in a notebook; elsewhere does nothing.

    Args:
        path: of the PNG.
        place: what an earlier call returned; the picture replaces that one.

    Returns:
        a place, or None outside of a notebook.
    """
    if notebook() is None:
        return None
    display = sys.modules["IPython"].display
    picture = display.Image(filename=str(path))
    if place is None:
        return display.display(picture, display_id=True)
    place.update(picture)
    return place


class _Cell:
    """A stream for tqdm that shows its last line in one place of a notebook."""

    _place = None

    def write(self, text):
        text = text.strip()
        if not text:
            return
        shown = {"text/plain": text}
        if self._place is None:
            display = sys.modules["IPython"].display.display
            self._place = display(shown, raw=True, display_id=True)
        else:
            self._place.update(shown, raw=True)

    def flush(self):
        """Does nothing: `write` shows each line at once."""


def seconds_left(first, last, total, now):
    """How long the rest takes at the pace between two moments.

    Args:
        first, last: (steps done, seconds on a clock) at each moment.
        total: steps in all.
        now: seconds on the same clock; the time since `last` is subtracted.

    Returns:
        float >= 0, or None where no step lies between the two.
    """
    steps = last[0] - first[0]
    if steps <= 0:
        return None
    pace = (last[1] - first[1]) / steps
    return max(0.0, pace * (total - last[0]) - (now - last[1]))


class _Line(tqdm.tqdm):
    """tqdm's line, whose time left counts down between two steps."""

    monitor_interval = 0  # no thread of tqdm's own
    first = last = None  # (steps done, clock) after the first and the last

    @property
    def format_dict(self):
        fields, left = super().format_dict, None
        if self.first:
            now = time.perf_counter()
            left = seconds_left(self.first, self.last, self.total, now)
        text = "?" if left is None else self.format_interval(left)
        # Not tqdm's width: it draws nothing if a terminal reports none.
        width = shutil.get_terminal_size().columns - 1
        return {**fields, "left": text, "ncols": width}


@contextlib.contextmanager
def counted(batches, total):
    """Yields batches while a `Bar` shows how many are done.

    Args:
        batches: iterable; its first item takes longest.
        total: how many it gives.

    Yields:
        Iterator over the batches; it asks for one when the last one is done.
    """
    bar = Bar(total, 0)
    bar.tell("compiling")

    def each():
        for done, batch in enumerate(batches, 1):
            yield batch
            bar.advance(done)

    try:
        yield each()
    finally:
        bar.close()


class Bar:
    """A line of steps, pace and time left, drawn again each second.

    Only a terminal or a notebook shows it. The first step of a session, which
    compiles, does not count towards the pace; evaluations between steps do.

    Args:
        total: steps of the whole run.
        done: steps before this session.
    """

    def __init__(self, total, done):
        self._line = _Line(
            total=total,
            initial=done,
            disable=not is_watched(),
            file=_Cell() if notebook() else None,
            nrows=20,  # not the terminal's, which may be unknown
            bar_format=_FORMAT,
        )
        self._closed = threading.Event()
        self._thread = None
        if not self._line.disable:
            self._handler = logging.get_absl_handler().python_handler
            self._stream = self._handler.stream
            if notebook() is None:
                # Print warnings above the bar. In a notebook the module would
                # ask for widgets.
                from tqdm import contrib

                self._handler.setStream(contrib.DummyTqdmFile(self._stream))
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()

    def _draw(self):
        while not self._closed.wait(TICK):
            self._line.refresh()

    def advance(self, step):
        """Shows how many steps are done."""
        line = self._line
        line.last = step, time.perf_counter()
        if line.first is None:
            line.first = line.last
            self.tell()
        line.update(step - line.n)

    def tell(self, doing="", facts=None):
        """Shows the current work and its figures.

        Args:
            doing: what is done between steps; "" for the steps themselves.
            facts: list of str; None keeps those that are shown.
        """
        self._line.set_description_str(f"{doing}: " * bool(doing), False)
        if facts is not None:
            self._line.set_postfix_str(", ".join(facts), False)
        self._line.refresh()

    def write(self, text):
        """Prints a line above the bar."""
        self._line.write(text)
        sys.stdout.flush()

    def close(self):
        """Leaves the line as it is."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._handler.setStream(self._stream)
        self._line.close()
