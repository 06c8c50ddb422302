# SPDX-License-Identifier: MIT
"""In what precision networks compute while they are trained."""

from __future__ import annotations

from typing import Final

import torch

_ON_PROCESSORS: Final = ("avx512_bf16", "amx_bf16", "bf16")
"""What torch calls instructions for bfloat16: of x86 processors the first two, of ARM's the third."""


def training_precision(device: torch.device) -> torch.autocast:
    """A context in which a network computes in bfloat16 where the device can, elsewhere in float32.

    A processor that cannot would imitate bfloat16, in nine times the time of float32 (EPYC 7001, one thread).
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device))


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; a GPU is taken to have them."""
    if device.type != "cpu":
        return True
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in _ON_PROCESSORS)
