# SPDX-License-Identifier: MIT
"""``python -m bdfm_train``."""

from bdfm_train.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
