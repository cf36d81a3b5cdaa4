"""Signals that ask a run to stop."""

import signal


class Signals:
    """Notes SIGINT and SIGTERM; a second SIGINT interrupts at once."""

    def __enter__(self):
        self.received = False
        self._before = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number, frame):
        del number, frame
        self.received = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
