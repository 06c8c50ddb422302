# SPDX-License-Identifier: GPL-3.0-or-later
"""How a performance is baked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..core.head import HeadPlacement

Destination = Literal["NEW_ACTION", "ACTIVE_ACTION", "NLA_STRIP"]


@dataclass(frozen=True, kw_only=True)
class BakeOptions:
    """Where the keyframes go, and which of them.

    Attributes:
        target: ``NEW_ACTION``: a new action takes the place of the active one, which is kept. ``ACTIVE_ACTION``: into
            the active action, on the mapped channels alone; keys outside the baked frames stay as they are.
            ``NLA_STRIP``: a new action as a strip on a new track; the active action is not touched.
        additive: add to what the channels do already, see :mod:`.additive`; else replace it.
        first, last: scene frames, both included, outside of which no key is made; None: no limit.
        largest_error: 0: a key at every frame. Above 0: keys are left out as long as no frame differs by more, see
            :mod:`..core.reduce`.
        head: what turns with the head of the video: the bones that the mapping names (``MAPPED``), the head bone, the
            neck bone and the head with it, both of them, or nothing. See :func:`..core.head.place_head`.
    """

    target: Destination = "NEW_ACTION"
    additive: bool = False
    first: int | None = None
    last: int | None = None
    largest_error: float = 0.0
    head: HeadPlacement = "MAPPED"
