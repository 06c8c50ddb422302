# SPDX-License-Identifier: MIT
"""BDFM Face Capture: head pose and 23 facial Action Units from images and video, on a plain CPU.

>>> from bdfm_infer import capture
>>> take = capture("clip.mp4", "clip.csv")  # doctest: +SKIP
>>> take.channel("AU12")  # doctest: +SKIP

Names are loaded on first use: ``bdfm_infer.take``, ``calibrate``, ``smooth``, ``parameters`` and ``errors`` need numpy
alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .calibrate import Calibration
    from .capture_run import CaptureOptions, Progress
    from .errors import BdfmError
    from .faces import Face
    from .pipeline import capture
    from .predictor import Predictor
    from .smooth import Smoothing
    from .take import Take, TakeWriter

__version__ = "0.1.0"

_HOME = {
    "BdfmError": "errors",
    "Calibration": "calibrate",
    "CaptureOptions": "capture_run",
    "Face": "faces",
    "Predictor": "predictor",
    "Progress": "capture_run",
    "Smoothing": "smooth",
    "Take": "take",
    "TakeWriter": "take",
    "capture": "pipeline",
}
__all__ = [
    "BdfmError",
    "Calibration",
    "CaptureOptions",
    "Face",
    "Predictor",
    "Progress",
    "Smoothing",
    "Take",
    "TakeWriter",
    "__version__",
    "capture",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
