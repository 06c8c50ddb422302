# SPDX-License-Identifier: MIT
from pathlib import Path

import cv2
import pytest
from hypothesis import settings
from synthetic_face import write_weights

from bdfm_infer import Predictor

settings.register_profile("unhurried", deadline=None)  # a busy machine fails no test
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the synthetic networks."""
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def predictor(weights: Path) -> Predictor:
    """Reads synthetic faces."""
    cv2.setNumThreads(1)
    return Predictor(weights)
