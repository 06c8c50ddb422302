# SPDX-License-Identifier: MIT
"""What R is trained by as in the paper (sections 2.1 and 2.5, Fig. 2).

Photos go through F_seg and R to y, and y through G back to F_seg.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import CROP_SIZE
from bdfm_infer.parameters import base_face
from bdfm_train.config import PaperLossConfig
from bdfm_train.errors import ConfigError
from bdfm_train.networks.bisenet import BiSeNetOnCrops
from bdfm_train.networks.checkpoints import fingerprint
from bdfm_train.networks.generator import aligned_crops
from bdfm_train.networks.landmark_network import LandmarkMaps, LandmarkNetwork
from bdfm_train.networks.representation import Representation, described
from bdfm_train.networks.segmentation import SegmentationNetwork, normalise

from . import losses
from .own_losses import OwnLoss
from .steps import frozen_statistics


@dataclass(frozen=True)
class Seen:
    """What R reads of n pictures.

    Attributes:
        whole: f_gb (n, 2 width, s/4, s/4) of F_seg, or a landmark network's heat maps.
        parts: T, or what stands in its place.
    """

    whole: Tensor
    parts: Representation | LandmarkMaps

    def __getitem__(self, part: slice) -> Seen:
        """Some of the pictures."""
        return Seen(self.whole[part], self._changed(lambda name: getattr(self.parts, name)[part]))

    def in_32_bits(self) -> Seen:
        """The same, the parts in 32 bits."""
        return Seen(self.whole, self._changed(lambda name: getattr(self.parts, name).float()))

    def joined(self, other: Seen) -> Seen:
        """These pictures, then the others."""
        parts = self._changed(lambda name: torch.cat([getattr(seen.parts, name) for seen in (self, other)]))
        return Seen(torch.cat([self.whole, other.whole]), parts)

    def _changed(self, to: Callable[[str], Tensor]) -> Representation | LandmarkMaps:
        return type(self.parts)(**{field.name: to(field.name) for field in fields(self.parts)})


@dataclass(frozen=True)
class FrozenNetworks:
    """The networks that R's training leaves as they are.

    Attributes:
        generator: G, from (n, 269) to RGB (n, 3, 128, 128) in [0, 1].
        segmentation: F_seg, ours or the published BiSeNet, or a landmark network in its place (Fig. 6).
        recognition: F_rec, from normalised crops (n, 1, 96, 96) to (n, 256); ours or the published LightCNN.
        crop_size: side of F_seg's input.
    """

    generator: nn.Module
    segmentation: SegmentationNetwork | BiSeNetOnCrops | LandmarkNetwork
    recognition: nn.Module
    crop_size: int

    @property
    def device(self) -> torch.device:
        """Where they compute."""
        return next(self.segmentation.parameters()).device

    @property
    def fingerprints(self) -> dict[str, str]:
        """What tells the weights of each from those of others."""
        networks = {"F_seg": self.segmentation, "G": self.generator, "F_rec": self.recognition}
        return {name: fingerprint(network) for name, network in networks.items()}

    def to(self, device: torch.device) -> FrozenNetworks:
        """The same on a device, frozen."""
        networks = {
            name: getattr(self, name).to(device).requires_grad_(False).eval()
            for name in ("generator", "segmentation", "recognition")
        }
        return replace(self, **networks)

    def see(self, crops: Tensor) -> Seen:
        """F_seg on normalised crops (n, 1, s, s)."""
        return Seen(*described(self.segmentation(crops))).in_32_bits()

    def draw(self, y: Tensor) -> Tensor:
        """G's pictures of parameters (n, 269)."""
        return self.generator(y).float()

    def see_drawn(self, pictures: Tensor) -> Seen:
        """F_seg on G's pictures: their luminance at the side of a crop, normalised as a photo's."""
        return self.see(aligned_crops(pictures, self.crop_size))

    def recognise_drawn(self, pictures: Tensor) -> Tensor:
        """F_rec of G's pictures, (n, 256)."""
        return self.recognition(aligned_crops(pictures)).float()

    def recognise(self, crops: Tensor) -> Tensor:
        """F_rec, (n, 256), of aligned grey crops (n, s, s) uint8."""
        grey = crops[:, None].float()
        if grey.shape[-1] != CROP_SIZE:
            grey = functional.interpolate(grey, size=(CROP_SIZE, CROP_SIZE), mode="bilinear", align_corners=False)
        return self.recognition(normalise(grey[:, 0])).float()


_COMPARED: Final[dict[str, tuple[type, ...]]] = {
    "T": (Representation,),
    "heatmaps": (LandmarkMaps,),
    "none": (Representation, LandmarkMaps),
}
"""What R may read by each content loss of a configuration."""


class PaperObjective(nn.Module):
    """The losses of a batch of photos. R is its only part that has parameters, so it is what is spread over processes.

    R normalises the photos and the generated pictures apart, and photos alone move its batch statistics. G draws y cut
    to [0, 1]; gradients pass the cut as if it were not there, so that a value outside can come back.

    Args:
        regressor: R.
        frozen: the others, on R's device.
        config: weights. A loss of weight 0 is not computed.
        own: further losses.
    """

    def __init__(
        self, regressor: nn.Module, frozen: FrozenNetworks, config: PaperLossConfig, own: Sequence[OwnLoss] = ()
    ) -> None:
        super().__init__()
        self.regressor = regressor
        self.frozen, self.config, self.own = frozen, config, own
        with torch.no_grad():
            base = torch.from_numpy(base_face())[None].to(frozen.device)
            self.base_face = frozen.see_drawn(frozen.draw(base))
        if not isinstance(self.base_face.parts, _COMPARED[config.content]):
            raise ConfigError(
                f"[paper.loss] content is {config.content!r}, which is not what R reads here: T is F_seg's, heatmaps "
                "are a landmark network's (--landmark-network)."
            )

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """Losses by name, before their weights, of aligned photos (n, s, s) uint8."""
        frozen, config, n = self.frozen, self.config, len(crops)
        with torch.no_grad():
            real = frozen.see(normalise(crops))
        y = self.regressor(real.whole, real.parts).float()
        shown = within_range(y)
        base_units = losses.with_base_units(shown)
        pictures = frozen.draw(torch.cat([shown, base_units]))
        drawn = frozen.see_drawn(pictures)
        found = {}
        if config.content != "none":
            found["content"] = losses.content_loss(drawn[:n].parts, real.parts)
        if config.identity:
            with torch.no_grad():
                person = frozen.recognise(crops)
            found["identity"] = losses.identity_loss(frozen.recognise_drawn(pictures[n:]), person)
        if config.parameter:
            found["parameter"] = losses.parameter_loss(y, config.alpha, config.beta)
        if config.loopback:
            found["loopback"] = self._loopback(base_units, drawn[n:], losses.with_base_identity(shown))
        if config.adversarial:
            found["adversarial"] = losses.adversarial_loss(drawn[n:].parts, self.base_face.parts)
        return found | {loss.name: loss.compute(y, drawn[:n], real) for loss in self.own}

    def _loopback(self, base_units: Tensor, seen_base_units: Seen, base_identity: Tensor) -> Tensor:
        frozen = self.frozen
        with torch.no_grad():
            seen = seen_base_units.joined(frozen.see_drawn(frozen.draw(base_identity)))
        with frozen_statistics(self.regressor):
            read = self.regressor(seen.whole, seen.parts).float()
        n = len(base_units)
        return losses.loopback_loss(base_units, read[:n], base_identity, read[n:], self.config.lambda_le)


def within_range(y: Tensor) -> Tensor:
    """Parameters cut to [0, 1]; the gradient is that of the uncut ones."""
    return y + (y.clamp(0.0, 1.0) - y).detach()
