# SPDX-License-Identifier: MIT
"""G: its pairs, its network, its training, how it is measured, and its export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from bdfm_infer import alignment
from bdfm_infer.avatar import SIZE, Avatar
from bdfm_infer.parameters import BROW_SLICE, N_PARAMETERS, base_face
from bdfm_train.config.generator import OWN_CONFIG, GeneratorConfig
from bdfm_train.errors import CheckpointError, ConfigError, DivergedError, PairsError
from bdfm_train.evaluation.generator import likeness, ssim, write_sheet
from bdfm_train.export import AVATAR, list_avatar, write_model
from bdfm_train.export_generator import MOST_BYTES, export_generator
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.pairs import Pairs, shard_path, write_pairs
from bdfm_train.networks.checkpoints import write_checkpoint
from bdfm_train.networks.generator import Generator, SegmentationFeatures, aligned_crops, perceptual_distance
from bdfm_train.networks.segmentation import SegmentationNetwork, normalise
from bdfm_train.networks.vgg16 import Vgg16
from bdfm_train.training import generator as training
from bdfm_train.training.generator import generator_losses, load_generator, pictures, total_loss, train_generator

TINY = GeneratorConfig((8, 8, 8, 8, 8, 8, 8), 0.1, 1.0, 2, 0, 1e-3, 1, 0.9)


@pytest.fixture(scope="module")
def faces() -> Pairs:
    """Twelve blurred blots with parameters that have nothing to do with them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, SIZE, SIZE, 3)).astype(np.uint8)
    images = np.stack([cv2.GaussianBlur(image, (0, 0), 5) for image in images])
    parameters = rng.random((12, N_PARAMETERS)).astype(np.float16).astype(np.float32)
    landmarks = rng.uniform(20, 100, (12, 68, 2)).astype(np.float32)
    return Pairs(images, parameters, landmarks, np.arange(12) % 2 == 0, "a")


@pytest.fixture
def folder(faces: Pairs, tmp_path: Path) -> Path:
    """A folder with one shard of :func:`faces`."""
    with shard_path(tmp_path, "a", 0, 0).open("wb") as stream:
        np.savez(stream, **vars(faces))
    return tmp_path


@pytest.fixture(scope="module")
def segmentation() -> SegmentationNetwork:
    torch.manual_seed(0)
    return SegmentationNetwork(8, (1, 1, 1, 1), 96).eval()


# Pairs


def test_pairs_are_aligned_and_come_again(heads_folder: Path, tmp_path: Path) -> None:
    head = Head.load(heads_folder, "a")
    first, second = write_pairs(head, None, 10, 5, tmp_path, shard_size=6)
    pairs = Pairs.load(first)
    assert (len(pairs.images), len(Pairs.load(second).images), pairs.head) == (6, 4, "a")
    assert pairs.uniform.tolist() == [True, False] * 3
    styles = pairs.parameters[:, BROW_SLICE]
    assert (styles.sum(1) == 1).all()
    assert (styles.max(1) == 1).all()
    for landmarks in pairs.landmarks:
        matrix = alignment.alignment(alignment.five_points(landmarks), SIZE)
        corners = np.array([[0.0, 0.0], [SIZE, SIZE]])
        assert np.abs(alignment.apply(matrix, corners) - corners).max() < 0.05  # pixels
    assert len(np.unique(pairs.images[1])) > 30  # a face, not its background alone

    second.unlink()
    kept = first.stat().st_mtime_ns
    assert write_pairs(head, None, 10, 5, tmp_path, shard_size=6) == [second]
    assert first.stat().st_mtime_ns == kept
    assert not np.array_equal(Pairs.load(second).parameters[0], pairs.parameters[0])
    first.unlink()
    write_pairs(head, None, 6, 5, tmp_path, shard_size=6)
    assert np.array_equal(Pairs.load(first).images, pairs.images)


def test_damaged_pairs_are_refused(faces: Pairs, folder: Path, tmp_path: Path) -> None:
    path = shard_path(folder, "a", 0, 0)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(PairsError, match="no shard of pairs"):
        Pairs.load(path)
    with path.open("wb") as stream:
        np.savez(stream, **vars(replace(faces, images=faces.images[:, ::2])))
    with pytest.raises(PairsError, match="images is uint8"):
        Pairs.load(path)
    with pytest.raises(PairsError, match="no pairs of head b"):
        train_generator(TINY, folder, "b", tmp_path / "work", 1)


# Network


def test_eight_transposed_convolutions() -> None:
    generator = Generator(GeneratorConfig.load().widths)
    layers = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [layer.stride[0] for layer in layers] == [1, 1, 2, 1, 2, 2, 2, 2]
    sides: list[int] = []
    for layer in layers:
        layer.register_forward_hook(lambda _layer, _inputs, out: sides.append(out.shape[-1]))
    with torch.no_grad():
        drawn = generator(torch.from_numpy(base_face())[None])
    assert sides == [4, 4, 8, 8, 16, 32, 64, 128]
    assert drawn.shape == (1, 3, SIZE, SIZE)
    assert 0 <= drawn.min() <= drawn.max() <= 1
    assert generator.coarse(torch.rand(2, N_PARAMETERS)).shape == (2, 3, 32, 32)
    assert [layer.kernel_size[0] for layer in layers] == [4, 3, 4, 3, 4, 4, 4, 4]
    assert not [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert 2 * sum(p.numel() for p in generator.parameters()) < MOST_BYTES


def test_instance_norm_stands_behind_all_layers_but_the_last_and_never_on_one_pixel() -> None:
    """Normalised over one pixel, a map is nothing but its bias: y would be lost."""
    generator = Generator(TINY.widths)
    normed: list[int] = []
    norms = [m for m in generator.modules() if isinstance(m, nn.InstanceNorm2d)]
    for norm in norms:
        norm.register_forward_hook(lambda _norm, inputs, _out: normed.append(inputs[0].shape[-1]))
    generator(torch.rand(1, N_PARAMETERS))
    assert normed == [4, 4, 8, 8, 16, 32, 64]
    assert all(norm.affine and not norm.track_running_stats for norm in norms)


def test_f_seg_sees_pictures_as_it_sees_crops(faces: Pairs) -> None:
    image = faces.images[0]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    expected = normalise(torch.from_numpy(cv2.resize(grey, (96, 96), interpolation=cv2.INTER_LINEAR))[None])
    # OpenCV rounds to whole grey levels twice, by half a level at most; normalise divides by .05 or more
    assert (aligned_crops(pictures(image[None])) - expected).abs().max() < 1 / 255 / 0.05


def test_losses_by_hand() -> None:
    drawn, real = torch.full((2, 3, 8, 8), 0.5), torch.full((2, 3, 8, 8), 0.25)
    drawn[1] = 0.75

    class Doubled(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return 2 * x, x[:, :1]

    losses = generator_losses(drawn, real, Doubled())
    assert losses["content"].item() == pytest.approx((0.25 + 0.5) / 2)
    # squared differences .0625 and .25 over a mean square of .0625, in both maps
    assert losses["perceptual"].item() == pytest.approx((1 + 4) / 2)
    assert generator_losses(drawn, real, Doubled(), share=0.5)["perceptual"].item() == pytest.approx(1.0)
    assert set(generator_losses(drawn, real, None)) == {"content"}
    assert total_loss(losses, 0.1).item() == pytest.approx(0.375 + 0.1 * 2.5)  # Eq. 3
    assert total_loss(generator_losses(drawn, real, None), 0.1).item() == pytest.approx(0.375)


@pytest.mark.parametrize("network", ["f_seg", "vgg16"])
def test_gradient_reaches_g_alone(segmentation: SegmentationNetwork, network: str) -> None:
    generator = Generator(TINY.widths)
    features: nn.Module = SegmentationFeatures(segmentation)
    maps = [(16, 24, 24), (32, 12, 12), (64, 6, 6)]
    if network == "vgg16":
        features, maps = Vgg16().requires_grad_(False), [(128, 64, 64), (256, 32, 32), (512, 16, 16)]
    drawn = features(generator(torch.rand(2, N_PARAMETERS)))
    assert [x.shape[1:] for x in drawn] == maps
    perceptual_distance(drawn, features(torch.rand(2, 3, SIZE, SIZE))).backward()
    weights = [p for name, p in generator.named_parameters() if p.dim() > 1 and not name.startswith("sketch")]
    assert len(weights) == 8
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)
    assert all(p.grad is None for p in features.parameters())


# Training


def test_training_learns_and_goes_on_as_if_not_broken_off(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_SAVE_STEPS", 10)
    monkeypatch.setattr(training, "_LOG_STEPS", 10)
    whole = train_generator(TINY, folder, "a", tmp_path / "whole", 30)
    log = [json.loads(line) for line in (tmp_path / "whole" / "generator.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [10, 20, 30]
    assert log[-1]["content"] < log[0]["content"]

    original = training._step
    calls = 0

    def killed(*arguments: object) -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == 17:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train_generator(TINY, folder, "a", tmp_path / "broken", 30)
    monkeypatch.setattr(training, "_step", original)
    resumed = train_generator(TINY, folder, "a", tmp_path / "broken", 30)
    one, other = (torch.load(path, weights_only=True) for path in (whole, resumed))
    assert one["step"] == other["step"] == 30
    assert all(torch.equal(one["average"][name], other["average"][name]) for name in one["average"])
    generator, head = load_generator(whole)
    assert (head, generator.training) == ("a", False)

    from_other = train_generator(TINY, folder, "a", tmp_path / "start", 0, start=whole)
    started = torch.load(from_other, weights_only=True)["generator"]
    assert all(torch.equal(one["average"][name], started[name]) for name in started)


def test_coarse_steps_leave_the_last_layers_alone(folder: Path, tmp_path: Path) -> None:
    config = replace(TINY, coarse_steps=2)
    parts = []
    for steps in (0, 2, 4):
        path = train_generator(config, folder, "a", tmp_path / str(steps), steps)
        parts.append(torch.load(path, weights_only=True)["generator"])
    first, coarse, full = parts
    for name in ("layers.6.0.weight", "draw.weight"):
        assert torch.equal(first[name], coarse[name])
        assert not torch.equal(first[name], full[name])
    assert not torch.equal(first["layers.5.0.weight"], coarse["layers.5.0.weight"])


def test_nan_ends_in_an_error_and_leaves_the_checkpoint(folder: Path, tmp_path: Path) -> None:
    class Poisoned(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (x * torch.nan,)

    path = train_generator(TINY, folder, "a", tmp_path / "work", 2, nn.Identity())
    before = path.read_bytes()
    with pytest.raises(DivergedError, match="step 3"):
        train_generator(TINY, folder, "a", tmp_path / "work", 9, Poisoned())
    assert path.read_bytes() == before


def test_a_run_does_not_go_on_by_another_seed_or_other_losses(folder: Path, tmp_path: Path) -> None:
    train_generator(TINY, folder, "a", tmp_path / "work", 1)
    other = replace(TINY, perceptual=TINY.perceptual + 1, learning_rate=TINY.learning_rate / 2)
    said = f"seed was 0, is 3; loss perceptual was {TINY.perceptual}, is {other.perceptual}; other feature network. "
    with pytest.raises(CheckpointError, match=said):
        train_generator(other, folder, "a", tmp_path / "work", 2, nn.Conv2d(3, 1, 1), seed=3)
    train_generator(replace(TINY, learning_rate=TINY.learning_rate / 2), folder, "a", tmp_path / "work", 2)


def test_damaged_pairs_that_arrive_leave_what_was_learned(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_LOG_STEPS", 1)
    train_generator(TINY, folder, "a", tmp_path / "work", 1)
    original = training._step

    def step(*arguments: object) -> dict[str, float]:
        shard_path(folder, "a", 9, 0).write_bytes(b"half of")
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "_step", step)
    with pytest.raises(PairsError, match="no shard of pairs"):
        train_generator(TINY, folder, "a", tmp_path / "work", 4)
    assert torch.load(tmp_path / "work" / "generator.pt", weights_only=True)["step"] == 2


def test_foreign_checkpoints_are_refused(folder: Path, tmp_path: Path) -> None:
    path = train_generator(TINY, folder, "a", tmp_path / "work", 0)
    with pytest.raises(CheckpointError, match="another head or configuration"):
        train_generator(replace(TINY, widths=(4, *TINY.widths[1:])), folder, "a", tmp_path / "work", 1)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_generator(path)
    torch.save({"reader": {}}, path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_generator(path)
    with pytest.raises(CheckpointError, match="Train first"):
        load_generator(tmp_path / "none.pt")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_checkpoint({}, blocked / "x.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("perceptual =", "lambda ="), "'lambda' is no setting"),
        (("batch = 8\n", ""), "'batch' is missing"),
        (("batch = 8", "batch = -8"), "batch must be"),
        (("widths = [256, ", "widths = ["), "list of 7"),
        (("batch = 8", "batch = "), "cannot be read"),
        (("widths = [256", "widths = [0"), "above 0"),
        (("average = ", "average = inf # "), "average must be"),
    ],
)
def test_configuration_is_checked(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    text = OWN_CONFIG.read_text(encoding="utf-8")
    assert change[0] in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        GeneratorConfig.load(path)


# Evaluation


def test_ssim_against_scipy(faces: Pairs) -> None:
    a, b = faces.images[0], faces.images[1]
    values = []
    for x, y in zip(np.moveaxis(a, 2, 0).astype(float), np.moveaxis(b, 2, 0).astype(float), strict=True):

        def mean(z: np.ndarray) -> np.ndarray:
            return ndimage.gaussian_filter(z, 1.5, radius=5)[5:-5, 5:-5]

        c1, c2 = 6.5025, 58.5225
        xy, xx, yy = mean(x * y) - mean(x) * mean(y), mean(x * x) - mean(x) ** 2, mean(y * y) - mean(y) ** 2
        above = (2 * mean(x) * mean(y) + c1) * (2 * xy + c2)
        values.append((above / ((mean(x) ** 2 + mean(y) ** 2 + c1) * (xx + yy + c2))).mean())
    assert ssim(a, b) == pytest.approx(np.mean(values), abs=1e-6)
    assert ssim(a, a) == pytest.approx(1.0)


def test_ssim_of_plain_pictures_by_hand() -> None:
    a, b = np.full((20, 20, 3), 100, np.uint8), np.full((20, 20, 3), 150, np.uint8)
    # no structure: (2 * 100 * 150 + 6.5025) / (100 ** 2 + 150 ** 2 + 6.5025)
    assert ssim(a, b) == pytest.approx(30006.5025 / 32506.5025)


def test_likeness_of_equal_pictures(faces: Pairs, segmentation: SegmentationNetwork, tmp_path: Path) -> None:
    same = likeness(faces.images, faces.images, segmentation)
    assert (same.n, same.ssim, same.l1, same.landmarks) == (12, pytest.approx(1.0), 0.0, 0.0)
    brighter = np.clip(faces.images.astype(int) + 5, 0, 255).astype(np.uint8)
    other = likeness(faces.images, brighter, segmentation)
    assert other.l1 == pytest.approx(5 / 255, rel=1e-3)
    assert other.ssim < 1.0
    write_sheet(Generator(TINY.widths).eval(), faces, tmp_path / "sheet.png", columns=5, rows=2)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (4 * SIZE, 5 * SIZE, 3)


# Export


def test_export_runs_in_the_package(tmp_path: Path) -> None:
    torch.manual_seed(1)
    generator = Generator(TINY.widths).eval()
    for name in ("face", "detector"):
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
    assert export_generator(generator, tmp_path / AVATAR) < 0.5  # grey levels; weights lose 11 of 23 bits
    stored = onnx.load(tmp_path / AVATAR).graph.initializer
    assert {t.data_type for t in stored if np.prod(t.dims) > 1} <= {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}
    with pytest.raises(CheckpointError, match=r"model\.json"):
        list_avatar(tmp_path)
    write_model(tmp_path, "tiny", 0.5, 0.5)
    facts = json.loads((tmp_path / "model.json").read_text())
    list_avatar(tmp_path)
    assert json.loads((tmp_path / "model.json").read_text()) == facts
    assert facts["avatar"]["file"] == AVATAR

    y = np.random.default_rng(0).random(N_PARAMETERS, np.float32)
    with torch.no_grad():
        expected = generator(torch.from_numpy(y)[None])[0].permute(1, 2, 0).numpy() * 255
    drawn = Avatar(tmp_path).draw_parameters(y)
    assert (drawn.shape, drawn.dtype) == ((SIZE, SIZE, 3), np.uint8)
    assert np.abs(drawn - expected).mean() < 1.0
