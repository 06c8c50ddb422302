# SPDX-License-Identifier: MIT
"""Loaders of published weights, on files whose names and sizes stand in ``published_weights.tsv``.

No published file is at hand: the table was read from the published code, not from our networks.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bdfm_infer.alignment import FIVE_POINTS
from bdfm_train.errors import PublishedWeightsError
from bdfm_train.face_model.labels import LABELS
from bdfm_train.networks import bisenet, published
from bdfm_train.networks.bisenet import COUNTS_AS, PUBLISHED_CLASSES, BiSeNet, BiSeNetOnCrops, ParsedFace
from bdfm_train.networks.light_cnn import BRIGHTNESS, CONTRAST, LightCnn29, LightCnnIdentity, MaxFeatureMap
from bdfm_train.networks.representation import represent
from bdfm_train.networks.vgg16 import Vgg16

State = dict[str, Tensor]
TABLE = Path(__file__).with_name("published_weights.tsv")
LOADERS: dict[str, Callable[[Path], nn.Module]] = {
    "vgg16": published.load_vgg16,
    "light_cnn": published.load_light_cnn,
    "bisenet": published.load_bisenet,
}


def state_of(file: str) -> State:
    """A published file's table of weights; one number stands behind each tensor, so that big ones cost nothing."""
    state: State = {}
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines, delimiter="\t"):
        if row["file"] != file:
            continue
        size = [int(n) for n in row["size"].split("x")]
        value = torch.full((1,), 0.01 * (len(state) + 1))
        state[row["layer"] + ".weight"] = value.expand(size)
        if row["kind"] != "plain":
            state[row["layer"] + ".bias"] = value.expand(size[:1])
        if row["kind"] == "norm":
            state[row["layer"] + ".running_mean"] = value.expand(size)
            state[row["layer"] + ".running_var"] = value.expand(size)
            state[row["layer"] + ".num_batches_tracked"] = torch.tensor(7)
    return state


def saved(content: object, folder: Path, old_format: bool = False) -> Path:
    path = folder / "weights.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not old_format)
    return path


@pytest.fixture(params=sorted(LOADERS))
def file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("old_format", [False, True], ids=["zip", "before torch 1.6"])
def test_the_published_file_fills_every_weight(file: str, wrapped: bool, old_format: bool, tmp_path: Path) -> None:
    state = state_of(file)
    content: object = state
    if wrapped:
        content = {"epoch": 80, "state_dict": {"module." + key: value for key, value in state.items()}}
    network = LOADERS[file](saved(content, tmp_path, old_format))
    own = network.network if isinstance(network, LightCnnIdentity) else network
    assert isinstance(own, nn.Module)
    loaded = own.state_dict()
    assert loaded.keys() <= state.keys()
    for key, value in loaded.items():
        assert torch.equal(value, state[key]), key
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())


def test_what_is_left_out_of_a_file_is_its_classifier_or_training_output(file: str, tmp_path: Path) -> None:
    network = LOADERS[file](saved(state_of(file), tmp_path))
    own = network.network if isinstance(network, LightCnnIdentity) else network
    assert isinstance(own, nn.Module)
    unused = {key.rsplit(".", 1)[0] for key in state_of(file).keys() - own.state_dict().keys()}
    assert (
        unused
        == {
            "vgg16": {"features.24", "features.26", "features.28", "classifier.0", "classifier.3", "classifier.6"},
            "light_cnn": {"fc2"},
            "bisenet": {
                f"{output}.{layer}"
                for output in ("conv_out16", "conv_out32")
                for layer in ("conv.conv", "conv.bn", "conv_out")
            },
        }[file]
    )


def test_an_unknown_key_is_refused_and_named(file: str, tmp_path: Path) -> None:
    path = saved(state_of(file) | {"features.99.weight": torch.zeros(1)}, tmp_path)
    with pytest.raises(PublishedWeightsError, match=r"features\.99\.weight.*Expected is"):
        LOADERS[file](path)


def test_a_missing_key_is_refused_and_named(file: str, tmp_path: Path) -> None:
    state = state_of(file)
    needed = [key for key in state if key not in published.VGG16.spare and "fc2" not in key]
    needed = [key for key in needed if not key.startswith(("conv_out16", "conv_out32"))]
    for key in (needed[0], needed[len(needed) // 2], needed[-1]):
        path = saved({name: value for name, value in state.items() if name != key}, tmp_path)
        with pytest.raises(PublishedWeightsError, match=rf"{key} is missing"):
            LOADERS[file](path)


def test_a_wrong_size_is_refused_with_both_sizes(file: str, tmp_path: Path) -> None:
    state = state_of(file)
    key = next(iter(state))
    right = "x".join(map(str, state[key].shape))
    path = saved(state | {key: torch.zeros(3, 5, 1, 1)}, tmp_path)
    with pytest.raises(PublishedWeightsError, match=f"{key} has the size 3x5x1x1 and not {right}"):
        LOADERS[file](path)


def test_files_of_others_are_refused(file: str, tmp_path: Path) -> None:
    other = {"vgg16": "bisenet", "bisenet": "light_cnn", "light_cnn": "vgg16"}[file]
    with pytest.raises(PublishedWeightsError, match="Expected is"):
        LOADERS[file](saved(state_of(other), tmp_path))
    for content in ([1, 2], {}, {"state_dict": {}}, {"conv1": "text"}):
        with pytest.raises(PublishedWeightsError):
            LOADERS[file](saved(content, tmp_path))


def test_missing_damaged_and_unsafe_files_are_refused(file: str, tmp_path: Path) -> None:
    load = LOADERS[file]
    with pytest.raises(PublishedWeightsError, match="is missing"):
        load(tmp_path / "none.pth")
    path = saved(state_of(file), tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PublishedWeightsError, match="cannot be read"):
        load(path)
    for content in (b"", b"no weights at all"):
        path.write_bytes(content)
        with pytest.raises(PublishedWeightsError, match="cannot be read"):
            load(path)
    with pytest.raises(PublishedWeightsError, match="cannot be read"):
        load(saved({"conv1": nn.Linear(1, 1)}, tmp_path))


def test_the_terms_are_told_once(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published._tell_terms.cache_clear()
    path = saved(state_of(file), tmp_path)
    LOADERS[file](path)
    told = capsys.readouterr().err
    assert "non-commercial" in told
    assert {"vgg16": "ImageNet", "light_cnn": "MS-Celeb-1M", "bisenet": "CelebAMask-HQ"}[file] in told
    assert {"vgg16": "ImageNet", "light_cnn": "MS-Celeb-1M", "bisenet": "CelebAMask-HQ"}[file] in str(
        LOADERS[file].__doc__
    )
    assert len(told.splitlines()) == 1
    LOADERS[file](path)
    assert capsys.readouterr().err == ""


def test_vgg16_gives_the_three_maps_of_the_perceptual_loss() -> None:
    images = torch.rand(2, 3, 32, 48, requires_grad=True)
    maps = Vgg16()(images)
    assert [tuple(x.shape) for x in maps] == [(2, 128, 16, 24), (2, 256, 8, 12), (2, 512, 4, 6)]
    assert all(bool((x >= 0).all()) for x in maps), "they are taken after the ReLU"
    sum(x.sum() for x in maps).backward()  # type: ignore[union-attr]
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0


def test_vgg16_maps_are_relu2_2_3_3_and_4_3() -> None:
    """The last ReLU before the pooling that ends a stage: after 4, 7 and 10 convolutions."""
    network = Vgg16()
    done: list[Tensor] = []
    for layer in network.features:
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda _layer, _inputs, out: done.append(out))
    maps = network(torch.rand(1, 3, 16, 16))
    assert len(done) == 10
    assert all(a is done[number - 1] for a, number in zip(maps, (4, 7, 10), strict=True))


def test_vgg16_takes_rgb_from_0_to_1_and_normalises_it_itself() -> None:
    network = Vgg16()
    seen: list[Tensor] = []
    network.features[0].register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    network(torch.tensor([0.485, 0.456, 1.0]).view(1, 3, 1, 1).expand(1, 3, 16, 16))
    expected = torch.tensor([0.0, 0.0, (1 - 0.406) / 0.225])
    assert torch.allclose(seen[0][0, :, 3, 5], expected, atol=1e-6)


def test_of_two_channels_the_larger_wins() -> None:
    layer = MaxFeatureMap(1, 1, 1)
    layer.filter.weight.data = torch.tensor([2.0, -1.0]).view(2, 1, 1, 1)
    layer.filter.bias.data = torch.tensor([0.0, 0.5])
    x = torch.tensor([1.0, -1.0]).view(1, 1, 1, 2)
    assert layer(x).flatten().tolist() == [2.0, 1.5]


def test_light_cnn_gives_unit_vectors_and_a_gradient_to_the_crop() -> None:
    torch.manual_seed(0)
    network = LightCnnIdentity(LightCnn29()).eval()
    crops = torch.randn(2, 1, 96, 96, requires_grad=True)
    embeddings = network(crops)
    assert embeddings.shape == (2, 256)
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(2), atol=1e-5)
    embeddings[:, 0].sum().backward()
    assert crops.grad is not None
    assert float(crops.grad.abs().sum()) > 0


def test_light_cnn_sees_eyes_and_mouth_at_the_heights_that_it_was_trained_on() -> None:
    """Its authors' table for pictures of 128 px: eyes at 40 px, mouth 48 px lower."""
    network = LightCnnIdentity(LightCnn29())
    rows, columns = np.mgrid[:96, :96]
    spots = [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8.0) for x, y in FIVE_POINTS * 96 - 0.5]
    crops = torch.from_numpy(np.stack(spots).astype(np.float32))[:, None]
    faces = (network.faces(crops).numpy()[:, 0] - BRIGHTNESS) / CONTRAST
    rows, columns = np.mgrid[:128, :128] + 0.5
    weights = faces / faces.sum((1, 2), keepdims=True)
    x, y = (weights * columns).sum((1, 2)), (weights * rows).sum((1, 2))
    assert y == pytest.approx([40, 40, 40 + 48 * 0.18 / 0.35, 88, 88], abs=0.1)
    assert (x[0] + x[1]) / 2 == pytest.approx(64, abs=0.1)


def test_the_19_published_classes_become_our_14() -> None:
    assert len(PUBLISHED_CLASSES) == len(COUNTS_AS) == 19
    assert set(COUNTS_AS) == set(range(len(LABELS)))
    ours = dict(zip(PUBLISHED_CLASSES, COUNTS_AS, strict=True))
    assert LABELS[ours["mouth"]] == "inner_mouth"
    assert ours["l_ear"] == ours["r_ear"] == LABELS.index("ears")
    logits = torch.full((1, 19, 1, 1), -20.0)
    logits[0, PUBLISHED_CLASSES.index("l_ear")] = logits[0, PUBLISHED_CLASSES.index("ear_r")] = 0.0
    logits[0, PUBLISHED_CLASSES.index("l_lip")] = np.log(2.0)
    nothing = torch.zeros(1, 1, 1, 1)
    parsing = ParsedFace((nothing, nothing, nothing), nothing, logits).parsing.softmax(1)[0, :, 0, 0]
    assert float(parsing[LABELS.index("ears")]) == pytest.approx(0.5, abs=1e-6)
    assert float(parsing[LABELS.index("l_lip")]) == pytest.approx(0.5, abs=1e-6)


def test_t_is_made_of_the_published_bisenet_too() -> None:
    face = BiSeNet().eval()(torch.rand(1, 3, 64, 96))
    assert [tuple(x.shape) for x in face.stages] == [(1, 128, 8, 12), (1, 256, 4, 6), (1, 512, 2, 3)]
    assert face.fused.shape == (1, 256, 8, 12)
    assert face.published.shape == (1, 19, 8, 12)
    t = represent(face)
    assert t.eyes.shape == t.brows.shape == (1, 128, 8, 12)
    assert t.nose.shape == t.mouth.shape == (1, 256, 4, 6)
    assert t.face.shape == (1, 512, 2, 3)


def test_bisenet_sees_a_crop_as_grey_at_the_scale_of_its_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """In aligned pictures of CelebA-HQ the eyes are a quarter of the side apart, 128 of 512 pixels."""
    eyes = np.linalg.norm(FIVE_POINTS[1] - FIVE_POINTS[0]) * bisenet.SIDE
    assert eyes == pytest.approx(128, rel=0.05)
    assert bisenet.SIDE % 32 == 0
    monkeypatch.setattr(bisenet, "SIDE", 64)
    network = BiSeNetOnCrops(BiSeNet()).eval()
    seen: list[Tensor] = []
    network.network.register_forward_hook(lambda _network, inputs, _out: seen.append(inputs[0]))
    crops = torch.zeros(1, 1, 96, 96, requires_grad=True)
    face = network(crops)
    torch.testing.assert_close(seen[0], torch.full((1, 3, 64, 64), BRIGHTNESS))
    assert face.fused.shape[1] == network.fused_channels
    assert face.stages[0].shape[1] == 2 * network.WIDTH
    represent(face).eyes.sum().backward()
    assert crops.grad is not None
    assert float(crops.grad.abs().sum()) > 0
