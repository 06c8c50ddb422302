# SPDX-License-Identifier: MIT
"""The gains of a character: one for bake, preview, batch, command line and checks; in the file, not in the take."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take

TIMES = np.arange(25) / 24
CHANNELS = {
    "AU12": [{"kind": "shape_key", "name": "smile"}],
    "AU26": [{"kind": "shape_key", "name": "jaw"}],
    "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "z", "degrees_per_degree": 1}],
}
AT_ONE = (0.4, 0.6, 10.0)
"""AU12, AU26 and yaw of the last frame of the take."""
GAINS = {"overall": 0.5, "AU12": 1.5, "yaw": -2.0}
GAINED = (0.3, 0.3, -20.0)


@pytest.fixture
def loaded(keep_mappings, tmp_path):
    """A take whose last frame shows ``AT_ONE``; returns its table."""
    keep_mappings(mapping_data(CHANNELS))
    path = write_take(tmp_path / "t.csv", TIMES, AU12=0.4 * TIMES, AU26=0.6 * TIMES, yaw=10 * TIMES)
    bpy.context.scene.render.fps = 24
    bpy.ops.bdfm.load_take(filepath=str(path))
    return path


def character(name):
    rig = armature(name, {"head": "XYZ"})
    mesh(f"{name}'s Face", ["smile", "jaw"], rig)
    return rig


def set_gains(rig, **gains):
    for name, gain in gains.items():
        setattr(rig.bdfm_gains, name, gain)


def shown(name, frame=25):
    """Smile, jaw and turn of the head, in degrees, as they stand."""
    bpy.context.scene.frame_set(frame)
    keys = bpy.data.objects[f"{name}'s Face"].data.shape_keys.key_blocks
    turn = bpy.data.objects[name].pose.bones["head"].rotation_euler.z
    return keys["smile"].value, keys["jaw"].value, float(np.degrees(turn))


def exactly(numbers):
    return pytest.approx(numbers, abs=1e-3)


def bake_singly():
    select(bpy.data.objects["Anna"], bpy.data.objects["Berta"])
    assert bpy.ops.bdfm.bake() == {"FINISHED"}


def bake_the_batch():
    select(bpy.data.objects["Anna"], bpy.data.objects["Berta"])
    bpy.ops.bdfm.batch_add_characters()
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}


def show_the_preview():
    select(bpy.data.objects["Anna"], bpy.data.objects["Berta"])
    assert bpy.ops.bdfm.preview() == {"FINISHED"}


@pytest.mark.parametrize("press", [bake_singly, bake_the_batch, show_the_preview])
def test_every_way_uses_them_and_they_are_of_one_character(loaded, press):
    rigs = [character(name) for name in ("Anna", "Berta")]
    set_gains(rigs[0], **GAINS)
    press()
    assert shown("Anna") == exactly(GAINED)
    assert shown("Berta") == exactly(AT_ONE)


def test_the_command_line_uses_them(loaded, part, tmp_path):
    set_gains(character("Anna"), **GAINS)
    out = tmp_path / "baked.blend"
    assert part("blender.command_line").execute(part("ui.command").services(), [str(loaded), "-o", str(out)]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert shown("Anna") == exactly(GAINED)


def test_the_preview_follows_a_gain_at_once(loaded):
    rig = character("Anna")
    character("Berta")
    show_the_preview()
    bpy.context.scene.frame_set(25)
    keys = bpy.data.objects["Anna's Face"].data.shape_keys.key_blocks
    rig.bdfm_gains.AU12 = 2.0
    assert keys["smile"].value == exactly(0.8)
    rig.bdfm_gains.reset()
    assert keys["smile"].value == exactly(0.4)
    bpy.ops.bdfm.preview()


def test_the_check_before_the_bake_knows_them(loaded, part):
    """A slider that ends at .5 is wide enough for .4, and no more with a gain of 2."""
    rig = character("Anna")
    bpy.data.objects["Anna's Face"].data.shape_keys.key_blocks["smile"].slider_max = 0.5
    select(rig)
    checks = part("ui.checks")
    bpy.ops.bdfm.check()
    assert not checks.last_checks["Anna"].texts
    rig.bdfm_gains.AU12 = 2.0
    bpy.ops.bdfm.check()
    assert "smile" in str(checks.last_checks["Anna"].texts)


def test_they_are_saved_with_the_file_and_come_with_a_copy(loaded, part, tmp_path):
    rig = character("Anna")
    set_gains(rig, **GAINS)
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    rig = bpy.data.objects["Anna"]
    gains_of = part("blender.gains").gains_of
    gains = gains_of(rig)
    assert (gains.overall, gains.own) == (0.5, {"AU12": 1.5, "yaw": -2.0})
    assert gains_of(rig.copy()) == gains
    bpy.context.scene.bdfm.take = str(loaded)
    select(rig)
    assert bpy.ops.bdfm.bake() == {"FINISHED"}
    assert shown("Anna") == exactly(GAINED)


def test_the_take_and_presets_know_nothing_of_them(loaded, part):
    rig = character("Anna")
    select(rig)
    before = loaded.read_bytes(), part("ui.takes").scene_performance(bpy.context.scene).values.copy()
    set_gains(rig, **GAINS)
    bpy.ops.bdfm.bake()
    bpy.ops.bdfm.save_cleaning()
    assert loaded.read_bytes() == before[0]
    np.testing.assert_array_equal(part("ui.takes").scene_performance(bpy.context.scene).values, before[1])
    cleaning = part("ui.cleaning").read_cleaning(bpy.context.scene.bdfm.cleaning)
    assert cleaning.to_settings() == part("core.cleaning").Cleaning().to_settings()


def test_reset_is_one_undo_step(loaded, part):
    rig = character("Anna")
    set_gains(rig, **GAINS)
    gains_of = part("blender.gains").gains_of
    gains = gains_of(rig)
    bpy.ops.ed.undo_push(message="gains are set")
    assert bpy.ops.bdfm.reset_gains("EXEC_DEFAULT", True, character="Anna") == {"FINISHED"}
    assert gains_of(rig) == part("core.gains").NO_GAINS
    bpy.ops.ed.undo()
    assert gains_of(bpy.data.objects["Anna"]) == gains


def test_the_preview_knows_them_after_an_undo(loaded):
    set_gains(character("Anna"), **GAINS)
    character("Berta")
    bpy.ops.ed.undo_push(message="start")
    show_the_preview()
    bpy.ops.bdfm.reset_gains("EXEC_DEFAULT", True, character="Anna")
    assert shown("Anna") == exactly(AT_ONE)
    bpy.ops.ed.undo()
    assert shown("Anna") == exactly(GAINED)
    bpy.ops.bdfm.preview()


def link(path, *names):
    with bpy.data.libraries.load(str(path), link=True) as (there, here):
        here.objects = list(there.objects)
    for item in here.objects:
        bpy.context.scene.collection.objects.link(item)


def test_a_linked_character_is_refused_and_an_override_keeps_them(loaded, part, tmp_path, layout, capfd):
    character("Anna")
    library, path = tmp_path / "library.blend", str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    link(library)
    with pytest.raises(RuntimeError, match="library override"):
        bpy.ops.bdfm.reset_gains(character="Anna")
    part("ui.gains").draw_gains(layout, bpy.data.objects["Anna"])
    own = bpy.data.objects["Anna"].override_create(remap_local_usages=True)
    set_gains(own, **GAINS)
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    own = next(item for item in bpy.data.objects if item.type == "ARMATURE" and item.library is None)
    gains = part("blender.gains").gains_of(own)
    assert (gains.overall, gains.own) == (0.5, {"AU12": 1.5, "yaw": -2.0})
    assert "not found" not in "".join(capfd.readouterr())


def test_a_character_that_is_gone_cannot_be_reset(loaded):
    with pytest.raises(RuntimeError, match="not in this scene"):
        bpy.ops.bdfm.reset_gains(character="Nobody")


def test_numbers_that_no_slider_gives_are_left_out(loaded, part):
    rig = character("Anna")
    rig.bdfm_gains.AU12 = float("nan")
    rig.bdfm_gains.AU26 = 1e9
    gains = part("blender.gains").gains_of(rig)
    assert "AU12" not in gains.own and gains.own["AU26"] == 10


def test_the_panels_draw_them_open_and_folded(loaded, part, layout, capfd, monkeypatch):
    rig = character("Anna")
    select(rig)
    bpy.ops.bdfm.batch_add_characters()
    (item,) = bpy.context.scene.bdfm.batch.characters
    gains, said = part("ui.gains"), []
    monkeypatch.setattr(gains, "draw_list", lambda layout, texts, most, icon: said.append(texts))
    for values in ({}, GAINS):
        set_gains(rig, **values)
        for bpy.context.scene.bdfm.batch.show_gains in (True, False):
            part("ui.batch_lists").draw_character(layout, item)
            part("ui.characters").draw_first_gains(layout, bpy.context)
    part("ui.characters").draw_characters(layout, bpy.context)
    own = ["AU12 Lip corner puller 1.50", "Yaw -2.00"]
    assert said == [[], own, ["Gain 0.50", *own]]
    select()
    part("ui.characters").draw_first_gains(layout, bpy.context)
    assert "not found" not in "".join(capfd.readouterr())
