# SPDX-License-Identifier: MIT
"""The mapping of each character: by its names, by hand; the panel that shows it stays fast and never trips."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take


@pytest.fixture
def own(part, keep_mappings):
    """A folder with two mappings: one that fits the key ``smile``, one that only a hand would choose."""
    smile = [{"kind": "shape_key", "name": "smile"}, {"kind": "shape_key", "name": "smirk"}]
    grin = [{"kind": "shape_key", "name": "grin"}]
    hand = mapping_data({"AU12": grin}, id="hand", name="Hand", fingerprint={"bones": ["none"]})
    folder = keep_mappings(mapping_data({"AU12": smile}, id="fits", name="Fits"), hand)
    part("ui.characters").forget_rows()
    return folder


@pytest.fixture
def rows(part):
    def read():
        part("ui.characters").forget_rows()
        found = part("ui.characters").listed(bpy.context)
        return found.rows, found.more

    return read


def test_the_panel_says_what_fits_and_what_is_missing(own, rows, draw_characters):
    faces = [mesh("Anna", ["smile", "smirks"]), mesh("Berta", ["frown"])]
    select(*faces)
    (anna, berta), more = rows()
    assert more == 0
    assert (anna.name, anna.fits[0].mapping.id, anna.fits[0].score, anna.by_hand) == ("Anna", "fits", 1, False)
    assert [(missing.name, missing.nearest) for missing in anna.missing] == [("smirk", ("smirks", "smile"))]
    assert berta.fits == () and "no mapping fits" in berta.reason
    draw_characters()
    bpy.context.scene.bdfm.own_mapping.show_missing = True
    draw_characters()


def test_a_mapping_chosen_for_one_character_is_baked(own, rows, tmp_path):
    faces = [mesh(name, ["smile", "grin"]) for name in ("Anna", "Berta")]
    select(*faces)
    bpy.ops.bdfm.choose_character_mapping(character="Berta", mapping="hand")
    (anna, berta), _ = rows()
    assert (anna.fits[0].mapping.id, berta.fits[0].mapping.id, berta.by_hand) == ("fits", "hand", True)
    bpy.context.scene.bdfm.mapping = "fits"
    assert [row.fits[0].mapping.id for row in rows()[0]] == ["fits", "hand"]
    bpy.context.scene.bdfm.mapping = ""
    times = np.arange(25) / 24
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", times, AU12=times)))
    bpy.ops.bdfm.bake()
    bpy.context.scene.frame_set(25)
    values = [[face.data.shape_keys.key_blocks[key].value for key in ("smile", "grin")] for face in faces]
    assert np.allclose(values, [[1, 0], [0, 1]], atol=1e-4)
    bpy.ops.bdfm.choose_character_mapping(character="Berta", mapping="BY_NAMES")
    assert "bdfm_mapping" not in faces[1]
    assert rows()[0][1].fits[0].mapping.id == "fits"


def test_an_own_copy_of_a_mapping_that_ships_is_used_without_a_question(part, rows, keep_mappings):
    ships = part("blender.library").load_library().by_id("arkit")
    keep_mappings(ships.to_dict() | {"id": "mine", "name": "Mine"})
    face = mesh("Berta", ships.fingerprint.shape_keys)
    select(face)
    (berta,), _ = rows()
    assert [fit.mapping.id for fit in berta.fits] == ["mine"]
    bpy.ops.bdfm.choose_character_mapping(character="Berta", mapping="arkit")
    assert [fit.mapping.id for fit in rows()[0][0].fits] == ["arkit"]


def test_the_choice_is_saved_with_the_file(own, rows, tmp_path):
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Face", ["smile"], rig)
    bpy.ops.bdfm.choose_character_mapping(character="Rig", mapping="hand")
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    select(bpy.data.objects["Face"])
    assert rows()[0][0].fits[0].mapping.id == "hand"


def test_a_choice_that_is_gone_is_named(own, rows):
    face = mesh("Anna", ["smile"])
    select(face)
    for value, message in (("gone", "no mapping 'gone'"), (3.5, ""), ("", "")):
        face["bdfm_mapping"] = value
        (row,), _ = rows()
        assert message in row.reason and bool(row.fits) == (not message)


def test_a_linked_character_keeps_no_choice(own, tmp_path):
    face = mesh("Anna", ["smile"])
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {face})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["Anna"]
    bpy.context.scene.collection.objects.link(wanted.objects[0])
    with pytest.raises(RuntimeError, match="library override"):
        bpy.ops.bdfm.choose_character_mapping(character="Anna", mapping="BY_NAMES")


def test_objects_that_change_while_the_panel_stands(own, part, draw_characters, monkeypatch):
    characters = part("ui.characters")
    monkeypatch.setattr(characters, "FRESH_S", 0.0)
    monkeypatch.setattr(characters, "SHARE", float("inf"))
    face = mesh("Anna", ["smile"])
    select(face)
    draw_characters()
    face.name = 'An"na\n'
    draw_characters()
    face.data.shape_keys.key_blocks["smile"].name = "frown"
    assert characters.listed(bpy.context).rows[0].fits == ()
    draw_characters()
    bpy.data.objects.remove(face)
    draw_characters()
    assert characters.listed(bpy.context).rows == []
    with pytest.raises(RuntimeError, match="not in this scene any more"):
        bpy.ops.bdfm.choose_character_mapping(character="Anna", mapping="BY_NAMES")


def test_among_500_characters_few_rigs_are_read_and_none_at_a_redraw(own, part, rows, draw_characters, monkeypatch):
    faces = [mesh(f"Head {number}", ["smile"]) for number in range(500)]
    select(*faces)
    characters = part("ui.characters")
    read = []
    original = characters.read_rig
    monkeypatch.setattr(characters, "read_rig", lambda character: read.append(character.name) or original(character))
    found, more = rows()
    assert len(found) == characters.SHOWN and more == 500 - characters.SHOWN
    assert found[0].name == "Head 0"
    assert len(read) == characters.SHOWN
    for _ in range(20):
        characters.listed(bpy.context)
    draw_characters()
    assert len(read) == characters.SHOWN


def test_another_file_knows_nothing_of_this_one(own, part):
    face = mesh("Anna", ["smile"])
    select(face)
    bpy.ops.bdfm.check()
    assert list(part("ui.checks").last_checks) == ["Anna"]
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert part("ui.checks").last_checks == {}


def test_the_default_folder_of_own_mappings_is_not_the_extensions(part):
    folder = part("ui.preferences").own_folder(bpy.context)
    assert "extensions" not in folder.parts and folder.is_relative_to(bpy.utils.user_resource("DATAFILES"))
