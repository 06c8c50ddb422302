# SPDX-License-Identifier: MIT
"""``python -m bdfm_infer``: the same as the command ``bdfm-infer``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
