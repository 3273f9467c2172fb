"""Shows on stderr what a long export is doing."""

import contextlib
import sys
import threading
import time

FIRST_AFTER_S = 5.0
LONGEST_WAIT_S = 60.0


class Progress:
    """Measures phases; one that takes long is shown, with the time since the start, again and again.

    Attributes:
      seconds: of each phase that has ended.
    """

    def __init__(self):
        self.seconds = {}
        self._start = time.monotonic()
        self._doing = ""
        self._ended = threading.Event()

    @contextlib.contextmanager
    def phase(self, name):
        start = time.monotonic()
        self.doing(name)
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)

    def doing(self, what):
        """Names what happens from now on."""
        self._doing = what

    @contextlib.contextmanager
    def shown(self):
        """Shows the phases of the block."""
        stream = sys.stderr
        thread = threading.Thread(target=self._show, args=(stream,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _show(self, stream):
        wait_s = FIRST_AFTER_S
        while not self._ended.wait(wait_s):
            print(f"{self._doing}, {time.monotonic() - self._start:.0f} s", file=stream, flush=True)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
