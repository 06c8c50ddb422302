# SPDX-License-Identifier: MIT
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from bdfm_infer.network import OUTPUTS
from bdfm_infer.parameters import AU_SLICE, BROW_SLICE, IDENTITY_SLICE, N_PARAMETERS, POSE_SLICE
from bdfm_train.config import Config
from bdfm_train.data.photos import Photo
from bdfm_train.errors import CheckpointError, ConfigError
from bdfm_train.export import export_reader
from bdfm_train.face_model.labels import LABEL, LABELS
from bdfm_train.networks.checkpoints import load_reader
from bdfm_train.networks.landmark_network import LandmarkMaps, LandmarkNetwork
from bdfm_train.networks.layers import AttentionBlock, SqueezeExcitation
from bdfm_train.networks.reader import ExportedReader, FaceReader
from bdfm_train.networks.regressor import ParameterRegressor, RegressorInputs, SubRegressor
from bdfm_train.networks.representation import BETA, PARTS, Representation, described, represent
from bdfm_train.networks.segmentation import (
    AttentionRefinement,
    FeatureFusion,
    LandmarkHeat,
    SegmentationNetwork,
    normalise,
)
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
    assert features.parsing.shape == (3, len(LABELS), 24, 24)
    assert features.landmarks.shape == (3, 68, 2)


def test_f_seg_is_bisenet_on_resnet18() -> None:
    """Four stages of two basic blocks, attention refinement of the last two; f_gb is what feature fusion puts out."""
    network = SegmentationNetwork(64, (2, 2, 2, 2), 128).eval()
    stages = [network.stage1, network.stage2, network.stage3, network.stage4]
    assert [len(stage) for stage in stages] == [2, 2, 2, 2]
    convolutions = [
        m for stage in stages for m in stage.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)
    ]
    assert [m.out_channels for m in convolutions] == [64] * 4 + [128] * 4 + [256] * 4 + [512] * 4
    assert [m.out_channels for m in convolutions if m.stride == (2, 2)] == [128, 256, 512]
    seen: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, module in network.named_modules():
        if isinstance(module, AttentionRefinement | FeatureFusion):
            module.register_forward_hook(lambda _module, inputs, out, name=name: seen.update({name: (inputs[0], out)}))
    with torch.no_grad():
        features = network(torch.rand(1, 1, 128, 128))
    c1, c2, c3 = features.stages
    assert [tuple(x.shape[1:]) for x in features.stages] == [(128, 32, 32), (256, 16, 16), (512, 8, 8)]
    assert set(seen) == {"refine3", "refine4", "fuse"}
    assert seen["refine3"][0] is c2 and seen["refine4"][0] is c3 and seen["fuse"][0] is c1
    assert seen["fuse"][1] is features.fused


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
    parsing[:, LABEL["nose"]] = 50.0
    t = represent(replace(features, parsing=parsing))
    for part in PARTS:
        size = getattr(t, part).abs().max()
        assert (size > 1e-3) == (part == "nose"), part
    assert torch.allclose(t.nose, features.stages[1], atol=1e-5)


def test_t_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eq. 5, T_i = beta_i A_i C_i: the probabilities of a part's classes add up, and shrink to the size of C_i."""
    for part, beta in {"eyes": 2.0, "brows": 10.0, "nose": 3.0, "mouth": 1.0, "face": 0.5}.items():
        monkeypatch.setitem(BETA, part, beta)
    shares = {"l_brow": 0.1, "r_brow": 0.05, "l_eye": 0.2, "r_eye": 0.15, "u_lip": 0.05, "inner_mouth": 0.05}
    shares |= {"l_lip": 0.1, "skin": 0.03, "ears": 0.02}
    probabilities = torch.full((1, len(LABELS), 4, 4), 1e-9)
    for name, share in shares.items():
        probabilities[:, LABEL[name]] = share
    probabilities[..., LABEL["nose"], :, 0] = 0.25  # in the first of four columns
    probabilities[..., LABEL["hair"], :, 1:] = 0.25
    stages = (torch.full((1, 1, 4, 4), 2.0), torch.full((1, 1, 2, 2), 4.0), torch.full((1, 1, 1, 1), 8.0))
    t = represent(SimpleNamespace(stages=stages, fused=stages[0], parsing=probabilities.log()))  # type: ignore[arg-type]
    torch.testing.assert_close(t.eyes, torch.full((1, 1, 4, 4), 2.0 * 0.35 * 2.0))
    torch.testing.assert_close(t.brows, torch.full((1, 1, 4, 4), 10.0 * 0.15 * 2.0))
    torch.testing.assert_close(t.nose, torch.tensor([[[[3.0 * 0.125 * 4.0, 0.0]] * 2]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(t.mouth, torch.full((1, 1, 2, 2), 1.0 * 0.2 * 4.0))
    torch.testing.assert_close(t.face, torch.full((1, 1, 1, 1), 0.5 * 0.05 * 8.0))


def test_components_come_from_the_paper_s_stages() -> None:
    stages = {part: stage for part, (stage, _) in PARTS.items()}
    assert stages == {"eyes": 0, "brows": 0, "nose": 1, "mouth": 1, "face": 2}


def test_r_gives_all_parameters(reader: FaceReader, crops: torch.Tensor) -> None:
    regressor = ParameterRegressor(RegressorInputs.of_t(WIDTH, 2 * WIDTH), 16, 12).eval()
    features = reader(normalise(crops)).features
    y = regressor(features.fused, represent(features))
    assert y.shape == (3, N_PARAMETERS)
    assert torch.allclose(y[:, BROW_SLICE].sum(1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize(
    ("part", "read_from"),
    [
        (POSE_SLICE, {"fused"}),
        (IDENTITY_SLICE, {"eyes", "nose", "mouth", "face"}),
        (AU_SLICE, {"eyes", "nose", "mouth", "face"}),
        (BROW_SLICE, {"brows"}),
    ],
)
def test_each_sub_regressor_reads_the_paper_s_maps_alone(part: slice, read_from: set[str]) -> None:
    torch.manual_seed(3)
    regressor = ParameterRegressor(RegressorInputs.of_t(WIDTH, 2 * WIDTH), 16, 12).eval()
    sizes = {"fused": (2, 24), "eyes": (2, 24), "brows": (2, 24), "nose": (4, 12), "mouth": (4, 12), "face": (8, 6)}
    maps = {name: torch.rand(1, n * WIDTH, s, s, requires_grad=True) for name, (n, s) in sizes.items()}
    t = Representation(**{name: maps[name] for name in PARTS})
    regressor(maps["fused"], t)[0, part].square().sum().backward()
    moved = {name for name, x in maps.items() if x.grad is not None and x.grad.abs().max() > 0}
    assert moved == read_from


def test_on_a_landmark_network_r_reads_heat_maps_and_first_layers(reader: FaceReader, crops: torch.Tensor) -> None:
    """Fig. 6: the last heat maps describe the whole, the features of the first two layers the parts."""
    regressor = ParameterRegressor(RegressorInputs.of_landmarks(WIDTH), 16, 12).eval()
    normal = normalise(crops)
    with torch.no_grad():
        seen, maps = reader(normal).features, LandmarkNetwork(reader.segmentation)(normal)
        y = regressor(*described(maps))
    assert y.shape == (3, N_PARAMETERS)
    assert torch.equal(maps.later, seen.stages[0]) and torch.equal(maps.heat, seen.heat)
    assert torch.equal(maps.early, reader.segmentation.stage1(reader.segmentation.stem(normal)))
    maps = LandmarkMaps(*(x.requires_grad_() for x in (maps.early, maps.later, maps.heat)))
    for part, read in ((POSE_SLICE, (False, False, True)), (AU_SLICE, (True,) * 3), (BROW_SLICE, (True,) * 3)):
        gradients = torch.autograd.grad(
            regressor(*described(maps))[:, part].square().sum(), (maps.early, maps.later, maps.heat), allow_unused=True
        )
        assert tuple(g is not None and bool(g.abs().max() > 0) for g in gradients) == read


def test_a_sub_regressor_has_the_paper_s_layers() -> None:
    """Feature fusion, a convolution of stride 2 with BN, two attention blocks, two FC layers, the first with SE."""
    regressor = ParameterRegressor(RegressorInputs.of_t(WIDTH, 2 * WIDTH), 16, 12)
    parts = dict(regressor.named_children())
    assert {name: part.second.out_features for name, part in parts.items()} == {
        "pose": 2,
        "identity": 208,
        "action_units": 23,
        "brow_style": 36,
    }
    for part in parts.values():
        assert isinstance(part, SubRegressor)
        convolution, norm, _ = part.reduce
        assert isinstance(convolution, nn.Conv2d) and convolution.stride == (2, 2)
        assert isinstance(norm, nn.BatchNorm2d)
        assert [type(block) for block in part.attend] == [AttentionBlock, AttentionBlock]
        assert [type(layer) for layer in (part.first, part.excite, part.second)] == [
            nn.Linear,
            SqueezeExcitation,
            nn.Linear,
        ]
    seen: list[tuple[torch.Size, torch.Size]] = []
    fusion = regressor.identity
    for layer in (fusion.reduce, fusion.attend, fusion.excite):
        layer.register_forward_hook(lambda _layer, inputs, out: seen.append((inputs[0].shape, out.shape)))
    fusion.eval()(*(torch.rand(1, n * WIDTH, s, s) for n, s in ((2, 24), (4, 12), (4, 12), (8, 6))))
    assert seen[0] == ((1, 18 * WIDTH, 12, 12), (1, 16, 6, 6))  # of one size, side by side, then halved
    assert seen[1] == ((1, 16, 6, 6), (1, 16, 6, 6))
    assert seen[2] == ((1, 32), (1, 32))


def test_squeeze_and_excitation_by_hand() -> None:
    """Two channels with means 1 and 3; the first layer adds them, the second gives logits 0 and log 3."""
    block = SqueezeExcitation(2, reduction=2)
    squeeze, excite = block.weights[0], block.weights[2]
    assert isinstance(squeeze, nn.Linear) and isinstance(excite, nn.Linear)
    squeeze.weight.data, squeeze.bias.data = torch.ones(1, 2), torch.zeros(1)
    excite.weight.data, excite.bias.data = torch.tensor([[0.0], [np.log(3.0) / 4.0]]).float(), torch.zeros(2)
    x = torch.tensor([[[[0.0, 2.0]], [[3.0, 3.0]]]])
    torch.testing.assert_close(block(x), torch.tensor([[[[0.0, 1.0]], [[2.25, 2.25]]]]))
    torch.testing.assert_close(block(torch.tensor([[1.0, 3.0]])), torch.tensor([[0.5, 2.25]]))


def test_export_equals_the_network(reader: FaceReader, crops: torch.Tensor, tmp_path: Path) -> None:
    path = tmp_path / "face.onnx"
    assert export_reader(ExportedReader(reader), path) < 1e-4
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].type == "tensor(uint8)"
    one = session.run(list(OUTPUTS), {"crops": crops[:1].numpy()})
    assert [value.shape for value in one] == [(1, 68, 2), (1, 2), (1, 23), (1,)]
    three = session.run(list(OUTPUTS), {"crops": crops.numpy()})
    assert np.allclose(one[2][0], three[2][0], atol=1e-5)


def test_a_reader_of_larger_crops_exports_too(tmp_path: Path) -> None:
    assert export_reader(ExportedReader(FaceReader(4, (1, 1, 1, 1), 128)), tmp_path / "face.onnx") < 1e-4


def test_places_and_parameters_are_32_bits_fine_in_a_training_of_16(reader: FaceReader, crops: torch.Tensor) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        reading = reader(normalise(crops))
    for value in (reading.features.coarse, reading.features.landmarks, reading.parameters):
        assert value.dtype == torch.float32
        assert (value.bfloat16().float() != value).float().mean() > 0.9


def test_with_r_the_mean_of_both_is_exported(reader: FaceReader, crops: torch.Tensor) -> None:
    regressor = ParameterRegressor(RegressorInputs.of_t(WIDTH, 2 * WIDTH), 16, 12).eval()
    with torch.no_grad():
        plain, both = ExportedReader(reader)(crops), ExportedReader(reader, regressor)(crops)
        features = reader(normalise(crops)).features
        by_r = regressor(features.fused, represent(features))[:, 2:25]
        expected = ((reader(normalise(crops)).parameters[:, 2:] + by_r) / 2).clamp(0, 1)
    with pytest.raises(CheckpointError, match="another network"):
        ExportedReader(reader, ParameterRegressor(RegressorInputs.of_landmarks(WIDTH), 16, 12))
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
    finer = LandmarkHeat(4, 4, 24).eval()
    coarse = torch.rand(1, 68, 2)
    weights, places = finer(torch.zeros(1, 4, 24, 24), coarse)
    assert (places - coarse).abs().max() < 0.1 and 0.0 < weights.sum((2, 3)).max() < 0.5  # at first the coarse place
    heat = torch.zeros(1, 68, 24, 24)
    heat[:, :, 5, 17] = 40.0
    finer.heat = torch.nn.Identity()
    wanted = torch.tensor([(17 + 0.5) / 24, (5 + 0.5) / 24]).expand(1, 68, 2)
    weights, places = finer(heat, coarse)
    torch.testing.assert_close(places, wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(weights[:, :, 5, 17], torch.ones(1, 68), atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def in_8_bits(reader: FaceReader, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader exported and quantised."""
    rng = np.random.default_rng(4)
    path = tmp_path_factory.mktemp("quantised") / "face.onnx"
    export_reader(ExportedReader(reader), path)
    spots = rng.normal((112, 112), 30, (68, 2)).astype(np.float32)
    photos = [Photo("x", rng.integers(0, 256, (224, 224), np.uint8), spots, spots[:36]) for _ in range(8)]
    quantise_reader(path, photos)
    return path


def test_two_products_in_8_bits_fit_into_16(in_8_bits: Path) -> None:
    """Processors without VNNI add two products of an activation (to 255) and a weight in 16 bits, and saturate."""
    initializers = onnx.load(in_8_bits).graph.initializer
    weights = [onnx.numpy_helper.to_array(item) for item in initializers if len(item.dims) in (2, 4)]
    assert [array.shape[1] for array in weights if array.dtype == np.float32 and array.ndim == 4] == [1]  # the first
    weights = [array for array in weights if array.dtype == np.int8]
    assert len([array for array in weights if array.ndim == 4]) >= 15
    assert [array.ndim for array in weights].count(2) == 1  # what reads the last map
    assert max(2 * 255 * int(np.abs(array.astype(int)).max()) for array in weights) <= np.iinfo(np.int16).max


def test_maps_stay_in_8_bits_from_one_convolution_to_the_next(in_8_bits: Path) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(in_8_bits))
    of_maps = {value.name for value in model.graph.value_info if len(value.type.tensor_type.shape.dim) == 4}
    rectified = [node for node in model.graph.node if node.op_type == "Relu" and node.output[0] in of_maps]
    assert of_maps and ["stem" in node.name for node in rectified] == [True]  # the first convolution is in 32 bits


def test_in_8_bits_readings_still_move_smoothly(in_8_bits: Path) -> None:
    session = onnxruntime.InferenceSession(in_8_bits, providers=["CPUExecutionProvider"])
    crops = np.random.default_rng(5).integers(0, 256, (64, SIZE, SIZE), np.uint8)
    landmarks = session.run(["landmarks"], {"crops": crops})[0]
    assert len(np.unique(landmarks)) > 0.8 * landmarks.size  # in 8 bits there would be 256


def test_unknown_configuration_is_named() -> None:
    with pytest.raises(ConfigError, match="lite"):
        Config.load("huge")


def test_missing_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Train first"):
        load_reader(tmp_path / "nothing.pt")
