"""``python -m conformance``, and the console script: answers Ctrl-C from its first moment.

So it imports what takes no time; the rest takes a second or two.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

INTERRUPTED = 3
"""The exit code; see ``errors.py``."""


def main() -> None:
    """Import the command line and run it; an interrupt is one line and exit code 3."""
    early = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if early:
        # An exception within an import is taken for one of the import's: NumPy makes of it that
        # its binaries are broken.  Nothing has been started yet that would have to be ended.
        signal.signal(signal.SIGINT, _end)
    from conformance.cli import entry  # noqa: PLC0415

    if early:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        entry()
    except KeyboardInterrupt:
        _end()


def _end(*_: Any) -> None:
    os.write(sys.stderr.fileno(), b"interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
