# SPDX-License-Identifier: MIT
"""MMI (Pantic et al. 2005): which units are at their apex in which frames; the paper (section 3.1) names no split."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import cv2
import numpy as np

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import DatasetError

from .labels import (
    FACTS,
    Clip,
    Dataset,
    FloatArray,
    coded_units,
    first_folder,
    jaw_further_open,
    unit_name,
    unknown,
    wrong_layout,
)

KEY: Final = "mmi"
FRONTAL: Final = "0"
REST, ONSET, APEX, OFFSET = "0", "1", "2", "3"
"""Types of markers; each phase lasts until the next marker."""


def load(root: Path) -> Dataset:
    """All frontal sessions whose units are coded.

    Raises:
        DatasetError: the folder is laid out differently, a file is missing, or a label cannot be read.
    """
    sessions = first_folder(KEY, root, ("Sessions",))
    clips = []
    for path in sorted(sessions.glob("*/*-oao_aucs.xml")):
        video = path.with_name(path.name.replace("-oao_aucs.xml", ".avi"))
        session = path.with_name("session.xml")
        for needed in (video, session):
            if not needed.is_file():
                raise wrong_layout(KEY, root, f"{needed.relative_to(root)} is missing")
        views = {track.get("view", FRONTAL) for track in _parse(session).iter("track")}
        if views <= {FRONTAL}:
            labels = _labels(path, _length(video))
            coded = np.flatnonzero(~np.isnan(labels).all(1))
            clips.append(Clip(path.name.split("-")[0], video, coded, labels[coded]))
    if not clips:
        raise wrong_layout(KEY, root, "Sessions has no *-oao_aucs.xml of a frontal view")
    return Dataset(FACTS[KEY]["title"], coded_units(clips), False, tuple(clips))


def _parse(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DatasetError(f"{path} is no XML file ({error}). Unpack this session again.") from error


def _length(video: Path) -> int:
    capture = cv2.VideoCapture(str(video))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    if count < 1:
        raise DatasetError(f"{video} is no video that can be decoded. Unpack this session again.")
    return count


def _labels(path: Path, count: int) -> FloatArray:
    """Labels (count, 23): 1 at an apex, 0 at rest, NaN on the way between, and where a unit is not coded as such."""
    labels = unknown(count)
    labels[:, [i for i, name in enumerate(AU_NAMES) if name.startswith("AU")]] = 0
    for element in _parse(path).iter("ActionUnit"):
        code = re.fullmatch(r"([A-Za-z]*)(\d+)([A-Za-z]*)", element.get("Number", ""))
        if code is None:
            continue
        wide = jaw_further_open(int(code[2]))
        unit = "AU26" if wide else unit_name(int(code[2]))
        if unit is None:
            continue
        column = labels[:, AU_NAMES.index(unit)]
        if wide or code[1] or code[3]:
            column[:] = np.nan
            continue
        markers = sorted(_marker(path, marker) for marker in element.iter("Marker"))
        for (start, phase), (end, _) in zip(markers, [*markers[1:], (count, REST)], strict=True):
            column[start:end] = {REST: 0.0, APEX: 1.0}.get(phase, np.nan)
    return labels


def _marker(path: Path, marker: ElementTree.Element) -> tuple[int, str]:
    """Frame from 0, and type."""
    frame, phase = marker.get("Frame", ""), marker.get("Type", "")
    if not frame.isdecimal() or int(frame) < 1 or phase not in (REST, ONSET, APEX, OFFSET):
        raise DatasetError(
            f"{path}: a marker has Frame={frame!r} and Type={phase!r}; expected a number from 1, and 0 to 3."
        )
    return int(frame) - 1, phase
