# SPDX-License-Identifier: MIT
"""Real Blender as a Python module, with the add-on enabled from the source tree as an extension."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADDON = "bl_ext.tree.bdfm_face_capture"

if importlib.util.find_spec("bpy") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="blender-user-")
    import bpy
    from scenes import mapping_data


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.blender_exit_status = int(exitstatus)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without Blender's own clean-up, which crashes in 4.2 and hangs in 4.5 while classes are registered."""
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(getattr(config, "blender_exit_status", 0))


@pytest.fixture(scope="session")
def enabled_addon(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The source tree as an extension of a local repository, its mappings beside it."""
    repository = tmp_path_factory.mktemp("repository")
    (repository / "bdfm_face_capture").symlink_to(ROOT / "blender_addon", target_is_directory=True)
    bpy.context.preferences.extensions.repos.new(
        name="Tree", module="tree", custom_directory=str(repository), remote_url=""
    )
    bpy.ops.preferences.addon_enable(module=ADDON)
    assert ADDON in bpy.context.preferences.addons


@pytest.fixture(autouse=True)
def empty_scene(enabled_addon: None) -> Iterator[None]:
    """Each test starts with nothing in the scene."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.preferences.addons[ADDON].preferences.mappings_folder = ""
    yield


@pytest.fixture(scope="session")
def part(enabled_addon: None) -> Callable[[str], ModuleType]:
    """A module of the enabled add-on by its name within it."""
    return lambda name: importlib.import_module(f"{ADDON}.{name}")


@pytest.fixture
def keep_mappings(part: Callable[[str], ModuleType], tmp_path: Path) -> Callable[..., Path]:
    """Make these mappings the artist's own, and return their folder."""
    folder = tmp_path / "own"
    folder.mkdir()

    def keep(*contents: dict[str, Any]) -> Path:
        bpy.context.preferences.addons[ADDON].preferences.mappings_folder = str(folder)
        for content in contents:
            (folder / f"{content['id']}.json").write_text(json.dumps(content))
        return folder

    return keep


@pytest.fixture
def layout() -> bpy.types.UILayout:
    """A layout of a menu that is begun and never shown: background mode has no window to show it in."""
    return bpy.context.window_manager.popmenu_begin__internal("test").layout


@pytest.fixture
def draw_characters(
    part: Callable[[str], ModuleType], layout: bpy.types.UILayout, capfd: pytest.CaptureFixture[str]
) -> Callable[[], None]:
    """Draw every panel of the characters; a property or icon that is not there shows on standard error."""

    def draw() -> None:
        mapping, own = part("ui.mapping_panel"), bpy.context.scene.bdfm.own_mapping
        part("ui.characters").draw_characters(layout, bpy.context)
        part("ui.posing").draw_posing(layout, bpy.context)
        part("ui.checks").draw_checks(layout, bpy.context)
        mapping.draw_start(layout)
        mapping.draw_unit(layout, bpy.context)
        mapping.draw_edited(layout, own)
        for target in own.targets:
            mapping.BDFM_UL_targets.draw_item(None, bpy.context, layout, own, target, 0, own, "active")
        assert "not found" not in "".join(capfd.readouterr())

    return draw


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a file in place of the user's, in which Blender leaves thumbnails where their folders are."""
    folder = tmp_path / "cache"
    for size in ("normal", "large"):
        (folder / "thumbnails" / size).mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def bake_steps(part: Callable[[str], ModuleType]) -> Callable[..., Any]:
    """Bake channels of a mapping onto the character of an object, step by step.

    ``mapping`` adds to the mapping's content, all else is an option of the bake.
    """

    def begin(item, performance, channels, start=1.0, speed=1.0, mapping=None, **options):  # type: ignore[no-untyped-def]
        content = part("core.mapping").Mapping.from_dict(mapping_data(channels, **(mapping or {})))
        (character,) = part("blender.rig").characters_in([item], bpy.context.scene)
        module = part("blender.bake")
        time = module.scene_time(bpy.context.scene, start, speed)
        return module.bake_steps(
            performance, character, content, time, part("blender.bake_options").BakeOptions(**options)
        )

    return begin


@pytest.fixture
def bake(bake_steps: Callable[..., Any]) -> Callable[..., Any]:
    """The same to its end; gives the report."""

    def run(*arguments, **options):  # type: ignore[no-untyped-def]
        steps = bake_steps(*arguments, **options)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    return run


@pytest.fixture
def curve_of(part: Callable[[str], ModuleType]) -> Callable[..., Any]:
    """The F-curve that moves a property now."""
    return lambda id_block, path, index=0: (
        part("blender.versions").channels_of(id_block).fcurves.find(path, index=index)
    )
