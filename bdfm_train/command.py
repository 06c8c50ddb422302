# SPDX-License-Identifier: MIT
"""Runs a command of this package; what a user can mend is said in a line, without a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bdfm_infer.errors import BdfmError

UNREADABLE = 2
"""Exit status where the system refuses a file."""
INTERRUPTED = 130


def run(command: Callable[[], object]) -> int:
    """Run it; returns the exit status."""
    try:
        command()
    except BdfmError as error:
        return _told(error, error.exit_code)
    except OSError as error:
        return _told(error, UNREADABLE)
    except KeyboardInterrupt:
        return _told("stopped. What was written is whole; a training goes on with the same command.", INTERRUPTED)
    return 0


def _told(what: object, status: int) -> int:
    print(f"bdfm_train: {what}", file=sys.stderr)
    return status
