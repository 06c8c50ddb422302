# SPDX-License-Identifier: MIT
"""What docs/training.md says of going on: a head of one's own and an action unit more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import bdfm_train
from bdfm_train.data.shards import Shard
from bdfm_train.errors import HeadFileError
from bdfm_train.face_model import pairs, renders
from bdfm_train.face_model.head import Head, built_heads
from bdfm_train.face_model.pairs import Pairs, shard_path

SOURCES = os.environ.get("BDFM_SOURCES")
PACKAGE = Path(bdfm_train.__file__).parent
needs_sources = pytest.mark.skipif(not SOURCES, reason="BDFM_SOURCES is not set")


@needs_sources
def test_a_head_of_one_s_own_is_rendered_by_its_name(
    heads_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "heads"
    folder.mkdir()
    for part in ("textures", "hair"):
        shutil.copy(heads_folder / f"{part}_a.npz", folder / f"{part}_broad.npz")
    with np.load(heads_folder / "head_a.npz") as data:
        np.savez(folder / "head_broad.npz", **(dict(data) | {"v": data["v"] * np.float32([1.2, 1.0, 1.0])}))
    assert built_heads(folder) == ["broad"]
    assert np.ptp(Head.load(folder, "broad").base, 0)[0] == pytest.approx(
        1.2 * np.ptp(Head.load(heads_folder, "a").base, 0)[0], rel=1e-5
    )
    options = ["x", "--heads", str(folder), "--head", "broad", "--count", "2", "--seed", "3", "--out"]
    monkeypatch.setattr(sys, "argv", [*options, str(tmp_path / "shard.npz")])
    renders.main()
    shard = Shard.load(tmp_path / "shard.npz")
    assert shard.head == "broad" and len(shard.images) == 2
    monkeypatch.setattr(sys, "argv", [*options, str(tmp_path / "pairs")])
    pairs.main()
    assert Pairs.load(shard_path(tmp_path / "pairs", "broad", 3, 0)).head == "broad"
    with pytest.raises(HeadFileError, match="'narrow'"):
        Head.load(folder, "narrow")
    with pytest.raises(HeadFileError, match="holds no head"):
        built_heads(tmp_path)


TRIAL = """
from pathlib import Path
import numpy as np, os, torch
from bdfm_infer.parameters import AU_NAMES, N_PARAMETERS, base_face
from bdfm_train.config import Config
from bdfm_train.data.crops import mirror_parameters
from bdfm_train.data.shards import N_TARGETS
from bdfm_train.face_model.action_units import read_recipes
from bdfm_train.face_model.performance import Performances
from bdfm_train.networks.checkpoints import build_reader
from bdfm_train.networks.generator import Generator
unit = AU_NAMES.index("AU11")
assert len(AU_NAMES) == 24 and base_face().shape == (N_PARAMETERS,) == (270,)
assert all(read_recipes(head)["AU11"] == read_recipes(head)["AU10"] for head in "ab")
assert mirror_parameters(np.zeros(N_TARGETS, np.float32)).shape == (26,)
reading = build_reader(Config.load("lite")).eval()(torch.zeros(1, 1, 96, 96))
assert reading.parameters.shape == (1, 26)
assert Generator((8,) * 7).eval()(torch.zeros(1, N_PARAMETERS)).shape == (1, 3, 128, 128)
performances = Performances(Path(os.environ["BDFM_SOURCES"]))
print("AU11 is the", unit + 1, "th of", len(AU_NAMES))
"""


@needs_sources
def test_an_action_unit_more_is_a_table_in_one_file(tmp_path: Path) -> None:
    for package in ("bdfm_infer", "bdfm_train"):
        shutil.copytree(PACKAGE.parent / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "bdfm_infer" / "data" / "action_units.toml"
    table = path.read_text(encoding="utf-8")
    entry = table[table.index("[AU10]") : table.index("[AU12]")]
    another = entry.replace("AU10", "AU11").replace("Upper lip raiser", "Nasolabial deepener")
    path.write_text(table.replace(entry, entry + another), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TRIAL)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "of 24" in done.stdout
