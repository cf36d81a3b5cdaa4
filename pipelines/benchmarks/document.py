"""Tables that a command writes into a document."""

import pathlib

from keras_resnet.errors import require


class Document:
    """A Markdown file with a place for the tables of a benchmark.

    Raises:
        keras_resnet.UsageError: if there is no such file or place.
    """

    def __init__(self, path, name):
        self._path = pathlib.Path(path)
        first = f"<!-- benchmark {name} -->"
        last = f"<!-- end of benchmark {name} -->"
        require(
            self._path.is_file(), f"--markdown: there is no file {str(path)!r}."
        )
        text = self._path.read_text(encoding="utf-8")
        self._before, found, rest = text.partition(first)
        _, end, self._after = rest.partition(last)
        require(
            found and end,
            f"--markdown: {str(path)!r} must have the lines {first!r} and "
            f"{last!r}; the tables go between them.",
        )
        self._first, self._last = first, last

    def replace(self, text):
        """Writes the file with `text` in the place."""
        parts = (self._before, self._first, "\n\n", text, "\n\n", self._last)
        self._path.write_text("".join([*parts, self._after]), encoding="utf-8")
