# SPDX-License-Identifier: MIT
"""The networks that the package ships, on clips of people speaking."""

import os
from pathlib import Path

import numpy as np
import pytest

from bdfm_infer import Predictor, capture
from bdfm_infer.network import OWN_WEIGHTS

MEGABYTE = 1e6


def test_weights_are_small() -> None:
    read = [path for path in OWN_WEIGHTS.iterdir() if path.name != "avatar.onnx"]
    assert sum(path.stat().st_size for path in read) <= 12 * MEGABYTE


@pytest.fixture(scope="module")
def own() -> Predictor:
    return Predictor()


def test_nothing_is_no_face(own: Predictor) -> None:
    rng = np.random.default_rng(0)
    for image in (np.zeros((240, 320), np.uint8), rng.integers(0, 255, (240, 320, 3), np.uint8)):
        assert own.faces(image) == []


@pytest.mark.skipif("BDFM_SOURCES" not in os.environ, reason="BDFM_SOURCES is not set: the clips are not here")
def test_face_in_every_frame_of_people_speaking(own: Predictor) -> None:
    clips = sorted(Path(os.environ["BDFM_SOURCES"], "videos").glob("*.mpg"))
    assert clips
    for clip in clips:
        take = capture(clip, predictor=own)
        assert take.success.all(), clip.name
        # They look into the camera and speak: the mouth opens, the head stays within 30 degrees.
        assert np.abs(take.rotation).max() < 30, clip.name
        assert np.ptp(take.channel("AU25") + take.channel("AU26")) > 0.1, clip.name
