# SPDX-License-Identifier: MIT
"""The paper's five losses (section 2.5, Eq. 7 to 12), each a mean over the pictures of a batch.

Norms of parameters are sums over the values, as printed. For those of T the paper leaves the scale open: it does not
print the weights beta_i of the components (Eq. 5). Here each component counts by its mean absolute difference in units
of its mean size on the reference, so that neither the number of channels nor the area of a part decides, and the
printed weights w fit any F_seg.
"""

from __future__ import annotations

from dataclasses import asdict, fields

import torch
from torch import Tensor

from bdfm_infer.parameters import (
    AU_BASE,
    AU_SLICE,
    BROW_SLICE,
    IDENTITY_BASE,
    IDENTITY_SLICE,
    POSE_BASE,
    POSE_SLICE,
    base_face,
)
from bdfm_train.config import PaperLossConfig
from bdfm_train.networks.landmark_network import LandmarkMaps
from bdfm_train.networks.representation import Representation


def content_loss(drawn: Representation | LandmarkMaps, real: Representation | LandmarkMaps) -> Tensor:
    """L_ct = |T_g - T_r|_1 (Eq. 8), the sum over the five components; of a landmark network's maps (Fig. 6) the mean
    squared difference of the heat maps, in units of the real ones' mean square.

    Args:
        drawn: T of G(y), or what stands in its place.
        real: the same of the photo.
    """
    if isinstance(real, LandmarkMaps):
        assert isinstance(drawn, LandmarkMaps)
        return (drawn.heat - real.heat).square().mean() / real.heat.square().mean().detach().clamp_min(1e-12)
    return torch.stack([_relative(getattr(drawn, part.name), getattr(real, part.name)) for part in fields(real)]).sum()


def identity_loss(drawn: Tensor, real: Tensor) -> Tensor:
    """L_id = 1 - cos(m_gbe, m_r) (Eq. 9).

    Args:
        drawn: (n, 256) F_rec of G's picture with base action units.
        real: (n, 256) F_rec of the photo.
    """
    return 1.0 - torch.cosine_similarity(drawn, real, dim=1).mean()


def parameter_loss(y: Tensor, alpha: float, beta: float) -> Tensor:
    """L_pr (Eq. 10): squared distance of pose, identity (times alpha) and action units (times beta) from their bases.

    The brow style is one-hot and has no base; it does not count.

    Args:
        y: (n, 269).
    """
    pose = (y[:, POSE_SLICE] - POSE_BASE).square().sum(1)
    identity = (y[:, IDENTITY_SLICE] - IDENTITY_BASE).square().sum(1)
    units = (y[:, AU_SLICE] - AU_BASE).square().sum(1)
    return (pose + alpha * identity + beta * units).mean()


def loopback_loss(
    base_units: Tensor, read_base_units: Tensor, base_identity: Tensor, read_base_identity: Tensor, lambda_le: float
) -> Tensor:
    """L_lp = |y_gbe - R(F_seg(I_gbe))|_1 + lambda_le |y_gbi - R(F_seg(I_gbi))|_1 (Eq. 11).

    Args:
        base_units, base_identity: (n, 269) what G drew, with base action units and with base identity. They are the
            truth: no gradient goes through them, otherwise R could agree with itself by saying less.
        read_base_units, read_base_identity: (n, 269) what R says of the pictures.
    """
    first = (base_units.detach() - read_base_units).abs().sum(1)
    second = (base_identity.detach() - read_base_identity).abs().sum(1)
    return (first + lambda_le * second).mean()


def adversarial_loss(drawn: Representation | LandmarkMaps, base: Representation | LandmarkMaps) -> Tensor:
    """L_adv = |T_gbe,m - T_b,m|_1 (Eq. 12): the mouth at base action units is that of the base face.

    Args:
        drawn: T, or what stands in its place, of G's pictures with base action units.
        base: the same of the base face, one picture.
    """
    return _relative(drawn.mouth, base.mouth.expand_as(drawn.mouth))


def total_loss(losses: dict[str, Tensor], config: PaperLossConfig) -> Tensor:
    """L (Eq. 7) of the losses by name: content, identity, parameter, loopback, adversarial."""
    weights = asdict(config) | {"content": 1.0}
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def with_base_units(y: Tensor) -> Tensor:
    """The parameters (n, 269) with base action units."""
    return _with_base(y, (AU_SLICE,))


def with_base_identity(y: Tensor) -> Tensor:
    """The parameters (n, 269) with base identity, which has the first brow style."""
    return _with_base(y, (IDENTITY_SLICE, BROW_SLICE))


def _with_base(y: Tensor, parts: tuple[slice, ...]) -> Tensor:
    base = torch.from_numpy(base_face()).to(y)
    replaced = torch.zeros(y.shape[1], dtype=torch.bool, device=y.device)
    for part in parts:
        replaced[part] = True
    return torch.where(replaced, base, y)


def _relative(drawn: Tensor, reference: Tensor) -> Tensor:
    return (drawn - reference).abs().mean() / reference.abs().mean().detach().clamp_min(1e-6)
