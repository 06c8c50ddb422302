# SPDX-License-Identifier: MIT
"""Another Python that this one starts: with ``-P`` and this environment it runs nothing of the current folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def child_environment(folders: Iterable[Path]) -> dict[str, str]:
    """This process's environment, in which packages are searched for in some folders first.

    Args:
        folders: that hold packages. What ``PYTHONPATH`` names comes after them, but for empty entries: these stand for
            the current folder.
    """
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join(dict.fromkeys([*map(str, folders), *filter(None, inherited)]))
    return {**os.environ, "PYTHONPATH": path}
