# SPDX-License-Identifier: MIT
"""Shared by the training tests: the source folder and both heads, built once a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def sources_root() -> Path:
    """Folder that ``BDFM_SOURCES`` names; tests that need it are skipped where it is not set."""
    value = os.environ.get("BDFM_SOURCES")
    if not value or not (Path(value) / "face_model").is_dir():
        pytest.skip("BDFM_SOURCES names no folder with face_model/ in it")
    return Path(value)


@pytest.fixture(scope="session")
def heads_folder(sources_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with both heads as ``python -m bdfm_train.face_model.build`` writes them."""
    from bdfm_train.face_model.build import build
    from bdfm_train.face_model.sources import Sources

    folder = tmp_path_factory.mktemp("heads")
    build(folder, Sources(sources_root))
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """torch 2.13 corrupts its memory in the backward pass of bfloat16 convolutions with few channels on two threads."""
    torch.set_num_threads(1)
