# SPDX-License-Identifier: MIT
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bdfm_infer.errors import InputNotFoundError, NoFaceError, WriteError
from bdfm_infer.parameters import AU_SLICE, BROW_SLICE, POSE_SLICE, base_face
from bdfm_train import cli
from bdfm_train.config import Config, NetworkConfig
from bdfm_train.networks.checkpoints import build_reader
from bdfm_train.networks.generator import Generator, aligned_crops
from bdfm_train.networks.identity import IdentityNetwork
from bdfm_train.training.fit import Fitted, fit, fit_photos, report, write_sheet
from bdfm_train.training.objective import FrozenNetworks

CLIP = Path(cli.__file__).parents[1] / "examples" / "clip" / "sample.mp4"
SIZE = 32


@pytest.fixture(scope="module")
def frozen() -> FrozenNetworks:
    torch.manual_seed(0)
    config = dataclasses.replace(Config.load("lite"), network=NetworkConfig(8, (1, 1, 1, 1), 8, 4, SIZE))
    networks = FrozenNetworks(
        Generator((16, 16, 16, 16, 16, 16, 16)), build_reader(config).segmentation, IdentityNetwork(), SIZE
    )
    return networks.to(torch.device("cpu"))


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    video = cv2.VideoCapture(str(CLIP))
    good, frame = video.read()
    assert good
    path = tmp_path_factory.mktemp("photos") / "face.png"
    cv2.imwrite(str(path), frame)
    return path


class Ball(nn.Module):
    """Draws a ball on grey whose place is the pose and whose size is AU26: a face that is easily told."""

    def forward(self, y: Tensor) -> Tensor:
        places = (torch.arange(128) + 0.5) / 128
        x, down = 0.2 + 0.6 * y[:, POSE_SLICE].T[:, :, None]
        radius = (0.1 + 0.1 * y[:, AU_SLICE.start + 18])[:, None, None]
        across, along = (-(places - x).square()[:, None, :], -(places - down).square()[:, :, None])
        return (0.3 + 0.6 * ((across + along) / (2 * radius**2)).exp())[:, None].expand(-1, 3, -1, -1)


def test_fitting_finds_what_g_can_draw(frozen: FrozenNetworks) -> None:
    truth = torch.from_numpy(base_face())[None]
    truth[:, POSE_SLICE] = torch.tensor([0.7, 0.35])
    truth[:, AU_SLICE.start + 18] = 0.8
    easy = dataclasses.replace(frozen, generator=Ball())
    x = aligned_crops(easy.draw(truth), SIZE)[0, 0]
    crop = ((x - x.min()) / (x.max() - x.min()) * 255).numpy().astype(np.uint8)
    y, (first, last) = fit(easy, crop, 60)
    assert last < 0.5 * first
    assert y.min() >= 0.0 and y.max() <= 1.0
    assert y[BROW_SLICE].sum() == pytest.approx(1.0, abs=1e-5)
    away = np.abs(base_face()[POSE_SLICE] - truth[0, POSE_SLICE].numpy())
    assert (np.abs(y[POSE_SLICE] - truth[0, POSE_SLICE].numpy()) < 0.3 * away).all()
    assert y[AU_SLICE.start + 18] > 0.4


def test_several_photos_are_fitted_read_and_timed(frozen: FrozenNetworks, photo: Path, tmp_path: Path) -> None:
    fitted = fit_photos(frozen, [photo, photo], 2)
    assert [one.name for one in fitted] == ["face.png", "face.png"]
    assert np.array_equal(fitted[0].y, fitted[1].y)
    assert all(one.seconds[0] > one.seconds[1] > 0 for one in fitted)
    text = report(fitted).splitlines()
    assert sum("loss" in line for line in text) == 2
    assert "times as fast" in text[-1]
    write_sheet(fitted, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (256, 256, 3)
    assert np.array_equal(sheet[:128, :128], fitted[0].crop)
    with pytest.raises(WriteError, match="folder that can be written"):
        write_sheet(fitted, tmp_path / "sheet.png" / "sheet.png")


def test_the_ratio_is_that_of_the_times() -> None:
    nothing = np.zeros(0, np.uint8)
    one = Fitted(
        "a.png",
        base_face(),
        (2.0, 1.0),
        (3.0, 0.002),
        np.zeros(2, np.float32),
        np.zeros(23, np.float32),
        nothing,
        nothing,
    )
    other = dataclasses.replace(one, seconds=(5.0, 0.006))
    # means 4 s and 4 ms
    assert "fitting 4.00 s" in report([one, other]) and "1000 times as fast" in report([one, other])


def test_photos_without_a_face_are_named_before_anything_is_fitted(frozen: FrozenNetworks, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    with pytest.raises(NoFaceError, match=r"wall\.png"):
        fit_photos(frozen, [tmp_path / "wall.png"], 10**9)
    with pytest.raises(InputNotFoundError):
        fit_photos(frozen, [tmp_path / "missing.png"], 10**9)
