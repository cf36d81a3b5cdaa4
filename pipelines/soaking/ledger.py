"""What was run, in a file that only grows: safe whenever the process dies."""

import json
import pathlib


class Ledger:
    """Records of one seed.

    A line is a JSON value: a session, {"session": {...}}, or the record of a
    case, which belongs to the session above it.

    Args:
        path: of the file.
    """

    def __init__(self, path):
        self._path = pathlib.Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        data = self._path.read_bytes() if self._path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]  # a kill can cut off the last
        if whole != data:
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        self.lines = [json.loads(line) for line in whole.splitlines()]

    def add(self, line):
        """Appends a line."""
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.lines.append(line)

    @property
    def records(self):
        """(session, record) of each case."""
        session, found = None, []
        for line in self.lines:
            if "session" in line:
                session = line["session"]
            else:
                found.append((session, line))
        return found

    def done(self, kind):
        """Numbers of the cases of a kind that have ended."""
        return {r["case"] for _, r in self.records if r["kind"] == kind}

    def kills(self):
        """How many kills there were."""
        return sum(record.get("kills", 0) for _, record in self.records)
