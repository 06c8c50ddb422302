# SPDX-License-Identifier: MIT
"""``python -m benchmarks NAME``: speed and memory as ratios within one run. Nothing here is asserted in a test."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: python -m benchmarks {{{','.join(NAMES)}}} [options]")
    name = sys.argv.pop(1)
    sys.argv[0] = f"python -m benchmarks {name}"
    if name == "network":
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: threads that wait cost CPU time as well
    importlib.import_module(f"benchmarks.{name}").main()
