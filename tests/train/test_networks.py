# SPDX-License-Identifier: MIT
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from bdfm_infer.parameters import BROW_SLICE, N_PARAMETERS
from bdfm_train.config import Config
from bdfm_train.data.photos import Photo
from bdfm_train.errors import CheckpointError, ConfigError
from bdfm_train.export import OUTPUTS, export_reader
from bdfm_train.networks.checkpoints import load_reader
from bdfm_train.networks.reader import ExportedReader, FaceReader
from bdfm_train.networks.regressor import ParameterRegressor
from bdfm_train.networks.representation import PARTS, represent
from bdfm_train.networks.segmentation import CLASSES, LandmarkHeat, normalise
from bdfm_train.quantise import quantise_reader

WIDTH, SIZE = 8, 96


@pytest.fixture(scope="module")
def reader() -> FaceReader:
    torch.manual_seed(0)
    return FaceReader(WIDTH, (1, 1, 1, 1), SIZE).eval()


@pytest.fixture(scope="module")
def crops() -> torch.Tensor:
    return torch.randint(0, 256, (3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_shapes_of_what_f_seg_sees(reader: FaceReader, crops: torch.Tensor) -> None:
    features = reader(normalise(crops)).features
    assert [tuple(stage.shape) for stage in features.stages] == [(3, 16, 24, 24), (3, 32, 12, 12), (3, 64, 6, 6)]
    assert features.fused.shape == (3, 16, 24, 24)
    assert features.parsing.shape == (3, len(CLASSES), 24, 24)
    assert features.landmarks.shape == (3, 68, 2)


def test_normalisation_takes_light_and_contrast_out(crops: torch.Tensor) -> None:
    x = crops.float() * 0.5
    brighter = x * 1.5 + 20.0
    difference = (normalise(brighter) - normalise(x)).abs().max()
    assert difference < 0.2  # the floor under the deviation, 0.05 of about 0.15 to 0.2, leaves a little
    assert normalise(x).mean((1, 2, 3)).abs().max() < 1e-4


def test_t_vanishes_outside_its_part(reader: FaceReader, crops: torch.Tensor) -> None:
    """Eq. 5: a map times the probability of its part. With all mass on `nose`, nothing but T_nose is left."""
    features = reader(normalise(crops)).features
    parsing = torch.full_like(features.parsing, -50.0)
    parsing[:, CLASSES.index("nose")] = 50.0
    t = represent(replace(features, parsing=parsing))
    for part in PARTS:
        size = getattr(t, part).abs().max()
        assert (size > 1e-3) == (part == "nose"), part
    assert torch.allclose(t.nose, features.stages[1], atol=1e-5)


def test_components_come_from_the_paper_s_stages() -> None:
    stages = {part: stage for part, (stage, _) in PARTS.items()}
    assert stages == {"eyes": 0, "brows": 0, "nose": 1, "mouth": 1, "face": 2}


def test_r_gives_all_parameters(reader: FaceReader, crops: torch.Tensor) -> None:
    regressor = ParameterRegressor(WIDTH, 16, 12).eval()
    features = reader(normalise(crops)).features
    y = regressor(features.fused, represent(features))
    assert y.shape == (3, N_PARAMETERS)
    assert torch.allclose(y[:, BROW_SLICE].sum(1), torch.ones(3), atol=1e-5)


def test_r_reads_brow_style_from_the_brows_alone(reader: FaceReader, crops: torch.Tensor) -> None:
    regressor = ParameterRegressor(WIDTH, 16, 12).eval()
    features = reader(normalise(crops)).features
    t = represent(features)
    other = type(t)(t.eyes + 1, t.brows, t.nose + 1, t.mouth + 1, t.face + 1)
    y, z = regressor(features.fused, t), regressor(features.fused, other)
    assert torch.equal(y[:, BROW_SLICE], z[:, BROW_SLICE])
    assert not torch.equal(y[:, 2:25], z[:, 2:25])


def test_export_equals_the_network(reader: FaceReader, crops: torch.Tensor, tmp_path: Path) -> None:
    path = tmp_path / "face.onnx"
    assert export_reader(ExportedReader(reader), path) < 1e-4
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].type == "tensor(uint8)"
    one = session.run(list(OUTPUTS), {"crops": crops[:1].numpy()})
    assert [value.shape for value in one] == [(1, 68, 2), (1, 2), (1, 23), (1,)]
    three = session.run(list(OUTPUTS), {"crops": crops.numpy()})
    assert np.allclose(one[2][0], three[2][0], atol=1e-5)


def test_with_r_the_mean_of_both_is_exported(reader: FaceReader, crops: torch.Tensor) -> None:
    regressor = ParameterRegressor(WIDTH, 16, 12).eval()
    with torch.no_grad():
        plain, both = ExportedReader(reader)(crops), ExportedReader(reader, regressor)(crops)
        features = reader(normalise(crops)).features
        by_r = regressor(features.fused, represent(features))[:, 2:25]
        expected = ((reader(normalise(crops)).parameters[:, 2:] + by_r) / 2).clamp(0, 1)
    assert torch.equal(plain[0], both[0])
    assert torch.allclose(both[2], expected, atol=1e-6)
    assert not torch.allclose(plain[2], both[2], atol=1e-3)


def test_exported_values_stay_in_range(reader: FaceReader, crops: torch.Tensor) -> None:
    with torch.no_grad():
        _, pose, units, confidence = ExportedReader(reader)(crops)
    for value in (pose, units, confidence):
        assert value.min() >= 0.0
        assert value.max() <= 1.0


def test_a_spot_in_the_heat_map_places_the_landmark_at_its_cell() -> None:
    torch.manual_seed(0)
    finer = LandmarkHeat(4, 4).eval()
    coarse = torch.rand(1, 68, 2)
    assert (finer(torch.zeros(1, 4, 24, 24), coarse) - coarse).abs().max() < 0.1  # at first it is the coarse place
    heat = torch.zeros(1, 68, 24, 24)
    heat[:, :, 5, 17] = 40.0
    finer.heat = torch.nn.Identity()
    wanted = torch.tensor([(17 + 0.5) / 24, (5 + 0.5) / 24]).expand(1, 68, 2)
    torch.testing.assert_close(finer(heat, coarse), wanted, atol=1e-5, rtol=0)


def test_in_8_bits_readings_still_move_smoothly(reader: FaceReader, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    path = tmp_path / "face.onnx"
    export_reader(ExportedReader(reader), path)
    spots = rng.normal((112, 112), 30, (68, 2)).astype(np.float32)
    photos = [Photo("x", rng.integers(0, 256, (224, 224), np.uint8), spots, spots[:36]) for _ in range(8)]
    quantise_reader(path, photos)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    crops = rng.integers(0, 256, (64, SIZE, SIZE), np.uint8)
    landmarks = session.run(["landmarks"], {"crops": crops})[0]
    assert len(np.unique(landmarks)) > 0.8 * landmarks.size  # in 8 bits there would be 256


def test_unknown_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lite"):
        Config.load("huge")


def test_missing_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Train first"):
        load_reader(tmp_path / "nothing.pt")
