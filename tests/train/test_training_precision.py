# SPDX-License-Identifier: MIT
"""Processors without instructions for bfloat16 train in float32, all else in bfloat16."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

import bdfm_train
from bdfm_train.training.precision import has_bfloat16, training_precision
from bdfm_train.training.work import CPU

# What torch says of three processors, by its own names (torch.cpu.get_capabilities).
WITHOUT = {"architecture": "x86_64", "avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}
WITH = [
    {"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False},
    {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": True},
    {"architecture": "arm64", "neon": True, "bf16": True},
]


def product_type(capabilities: Mapping[str, object], monkeypatch: pytest.MonkeyPatch) -> torch.dtype:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    x = torch.ones(2, 2)
    with training_precision(CPU):
        return (x @ x).dtype


def test_a_processor_without_bfloat16_computes_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert product_type(WITHOUT, monkeypatch) == torch.float32
    assert product_type({"architecture": "arm64", "neon": True}, monkeypatch) == torch.float32


@pytest.mark.parametrize("capabilities", WITH)
def test_a_processor_with_bfloat16_computes_in_it(
    capabilities: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert product_type(capabilities, monkeypatch) == torch.bfloat16


def test_torch_says_something_of_this_processor() -> None:
    """Were torch to rename its capabilities, all processors would count as having none."""
    names = torch.cpu.get_capabilities()
    assert {"avx512_bf16", "amx_bf16"} <= set(names) if names["architecture"] == "x86_64" else "neon" in names


def test_a_gpu_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: WITHOUT)
    assert has_bfloat16(torch.device("cuda"))
    assert not has_bfloat16(CPU)


def test_no_training_chooses_by_itself() -> None:
    root = Path(bdfm_train.__file__).parent
    choosing = [path for path in root.rglob("*.py") if "dtype=torch.bfloat16" in path.read_text(encoding="utf-8")]
    assert choosing == [root / "training" / "precision.py"]
