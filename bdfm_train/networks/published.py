# SPDX-License-Identifier: MIT
"""Loads weights that others published: VGG16, BiSeNet of face-parsing.PyTorch, LightCNN-29 v2 (paper, 2.2, 2.3, 2.5).

Their code is free, but they were trained on pictures whose terms allow research alone (ImageNet, MS-Celeb-1M and
CASIA-WebFace, CelebAMask-HQ). Nothing of them ships with this project or went into what ships; whoever gives a file is
told so once.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from torch import Tensor, nn

from bdfm_train.errors import PublishedWeightsError

from .bisenet import BiSeNet
from .light_cnn import LightCnn29, LightCnnIdentity
from .vgg16 import Vgg16

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Publication:
    """A file that others published.

    Attributes:
        title: what it holds.
        source: where it comes from and what it is called there.
        trained_on: the data whose terms it carries.
        spare: keys of the file that are not needed here, each by its full name.
    """

    title: str
    source: str
    trained_on: str
    spare: frozenset[str] = frozenset()


VGG16: Final = Publication(
    title="VGG16",
    source="torchvision's vgg16-397923af.pth (vgg16, IMAGENET1K_V1; not vgg16_bn)",
    trained_on="ImageNet",
    spare=frozenset(
        f"{layer}.{kind}"
        for layer in ("features.24", "features.26", "features.28", "classifier.0", "classifier.3", "classifier.6")
        for kind in ("weight", "bias")
    ),
)

LIGHT_CNN: Final = Publication(
    title="LightCNN-29 v2",
    source="LightCNN_29Layers_V2_checkpoint.pth.tar of github.com/AlfredXiangWu/LightCNN (v2; not LightCNN-9 or -29)",
    trained_on="CASIA-WebFace and MS-Celeb-1M",
    spare=frozenset({"fc2.weight"}),
)
BISENET: Final = Publication(
    title="BiSeNet for faces",
    source="79999_iter.pth of github.com/zllrunning/face-parsing.PyTorch (19 classes)",
    trained_on="CelebAMask-HQ",
    spare=frozenset(
        f"{output}.{layer}"
        for output in ("conv_out16", "conv_out32")
        for layer in (
            "conv.conv.weight", "conv.bn.weight", "conv.bn.bias", "conv.bn.running_mean", "conv.bn.running_var",
            "conv.bn.num_batches_tracked", "conv_out.weight",
        )
    ),
)  # fmt: skip


def load_vgg16(path: Path) -> Vgg16:
    """VGG16 up to relu4_3 with the published weights, frozen.

    The weights were trained on ImageNet, whose terms allow research alone.

    Raises:
        PublishedWeightsError: the file is missing, damaged, or not the one that torchvision publishes.
    """
    return _load(Vgg16(), path, VGG16)


def load_light_cnn(path: Path) -> LightCnnIdentity:
    """LightCNN-29 v2 with the published weights, frozen; called like our own identity network.

    The weights were trained on CASIA-WebFace and MS-Celeb-1M, whose terms allow research alone.

    Raises:
        PublishedWeightsError: the file is missing, damaged, or not the published one.
    """
    return LightCnnIdentity(_load(LightCnn29(), path, LIGHT_CNN)).eval()


def load_bisenet(path: Path) -> BiSeNet:
    """The BiSeNet of face-parsing.PyTorch with the published weights, frozen.

    The weights were trained on CelebAMask-HQ, whose terms allow non-commercial research alone.

    Raises:
        PublishedWeightsError: the file is missing, damaged, or not the published one.
    """
    return _load(BiSeNet(), path, BISENET)


def _load(network: Network, path: Path, publication: Publication) -> Network:
    state = _state(path, publication)
    expected = network.state_dict()
    for key, value in state.items():
        if key in publication.spare:
            continue
        if key not in expected:
            raise _foreign(path, publication, f"it holds {key}, which the network does not have")
        if value.shape != expected[key].shape:
            sizes = f"{_size(value)} and not {_size(expected[key])}"
            raise _foreign(path, publication, f"{key} has the size {sizes}")
    for key in expected:
        if key not in state:
            raise _foreign(path, publication, f"{key} is missing")
    network.load_state_dict({key: state[key] for key in expected})
    _tell_terms(publication)
    return network.requires_grad_(False).eval()


def _state(path: Path, publication: Publication) -> dict[str, Tensor]:
    """The tensors of a file, out of a checkpoint's ``state_dict`` and without ``module.`` of data-parallel training."""
    if not path.exists():
        raise PublishedWeightsError(f"{path} is missing. Expected is {publication.source}.")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        reason = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
        raise PublishedWeightsError(
            f"{path} cannot be read as weights ({reason}). Get {publication.source} anew."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise _foreign(path, publication, "it holds no table of weights")
    state = {str(key).removeprefix("module."): value for key, value in content.items()}
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise _foreign(path, publication, f"{key} is no tensor")
    return state


def _foreign(path: Path, publication: Publication, reason: str) -> PublishedWeightsError:
    return PublishedWeightsError(f"{path} is not {publication.title}: {reason}. Expected is {publication.source}.")


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "1"


@functools.cache
def _tell_terms(publication: Publication) -> None:
    print(
        f"{publication.title} was trained on {publication.trained_on}, whose terms allow non-commercial use alone: "
        "what is trained with these weights may fall under them. They are never shipped.",
        file=sys.stderr,
    )
