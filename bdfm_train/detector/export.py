# SPDX-License-Identifier: MIT
"""Writes the trained detector as ONNX: ``python -m bdfm_train.detector.export CHECKPOINT [OUT]``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from bdfm_infer.detector import OUTPUTS
from bdfm_infer.network import OWN_WEIGHTS
from bdfm_train.arrays import write_content
from bdfm_train.command import run
from bdfm_train.detector.model import Detector
from bdfm_train.errors import CheckpointError
from bdfm_train.networks.checkpoints import fill, read_checkpoint

WEIGHTS = OWN_WEIGHTS / "detector.onnx"


class _Exported(nn.Module):
    """The network as the package runs it: one uint8 picture in, scores of 0 to 1 and points out."""

    def __init__(self, network: Detector):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, points = self.network(image.unsqueeze(0).float())
        return torch.sigmoid(logits), points


def load(checkpoint: Path) -> Detector:
    """The averaged network of a checkpoint that training wrote, ready to evaluate.

    Raises:
        CheckpointError: the file is missing, damaged, or another network's.
    """
    network = Detector()
    fill(network, read_checkpoint(checkpoint, "detector.train", ("average",))["average"], checkpoint)
    return network.eval()


def export(network: Detector, path: Path) -> None:
    """Write ``network`` with opset 17; the batch normalisation is folded into the convolutions.

    Input ``image`` uint8 (1, h, w), h and w any multiples of 32; outputs ``score`` float32 (1, h/4, w/4) and
    ``points`` float32 (1, 10, h/4, w/4), as in :class:`bdfm_train.detector.model.Detector`.
    """
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        torch.onnx.export(
            _Exported(network.eval()).eval(),
            (torch.zeros(1, 128, 160, dtype=torch.uint8),),
            draft,
            input_names=["image"],
            output_names=list(OUTPUTS),
            dynamic_axes={
                "image": {1: "height", 2: "width"},
                "score": {1: "rows", 2: "columns"},
                "points": {2: "rows", 3: "columns"},
            },
            opset_version=17,
            dynamo=False,
        )
        onnx.checker.check_model(str(draft))
        write_content(path, draft.read_bytes(), CheckpointError)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=WEIGHTS)
    arguments = parser.parse_args()
    export(load(arguments.checkpoint), arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e3:.0f} kB. `export` lists it in model.json.")


if __name__ == "__main__":
    raise SystemExit(run(main))
