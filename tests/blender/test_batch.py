# SPDX-License-Identifier: MIT
"""Many characters, many takes: one press, one undo step; whatever fails is said, and the others are baked."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take

TIMES = np.arange(25) / 24
NAMES = ("Fritz", "Emil", "Dora", "Cube", "Anna")


@pytest.fixture(autouse=True)
def own_mappings(keep_mappings):
    """Mappings for the tests' rigs: one that is found by its names, one that is not."""
    smile, grin = ({"AU12": [{"kind": "shape_key", "name": name}]} for name in ("smile", "grin"))
    hand = mapping_data(grin, id="hand", fingerprint={"shape_keys": ["none", "of", "these"]})
    keep_mappings(mapping_data(smile), hand)


@pytest.fixture
def batch():
    return bpy.context.scene.bdfm.batch


def takes(tmp_path, *sizes):
    """A take for each size, whose AU12 rises to it within a second."""
    return [write_take(tmp_path / f"take {n}.csv", TIMES, AU12=size * TIMES) for n, size in enumerate(sizes, 1)]


def list_takes(paths):
    bpy.ops.bdfm.batch_add_takes(directory=str(paths[0].parent), files=[{"name": path.name} for path in paths])


def add(*items):
    select(*items)
    assert bpy.ops.bdfm.batch_add_characters() == {"FINISHED"}


def values(*items, key="smile", frame=25):
    bpy.context.scene.frame_set(frame)
    return [item.data.shape_keys.key_blocks[key].value for item in items]


def run_list(part):
    """The bake of the scene's lists, step by step."""
    scene, settings = bpy.context.scene, part("ui.bake_settings")
    return part("blender.batch").run(
        part("ui.batch_lists").listed_jobs(scene),
        scene,
        lambda character: part("ui.characters").choose_mapping(bpy.context.scene, character),
        settings.take_time(scene),
        settings.bake_options(scene),
    )


def test_one_take_for_all_with_a_gain_each(batch, tmp_path):
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta", "Carl")]
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    add(*heads)
    add(*heads)
    assert [item.name for item in batch.characters] == ["Anna", "Berta", "Carl"]
    heads[1].bdfm_gains.overall, heads[2].bdfm_gains.overall = 0.5, 3.0
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}
    assert values(*heads) == pytest.approx([0.5, 0.25, 1.0], abs=1e-4)
    assert [item.status for item in batch.characters] == ["BAKED"] * 3


def test_take_by_take(batch, tmp_path):
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta", "Carl")]
    add(*heads)
    batch.pairing = "PAIRS"
    list_takes(takes(tmp_path, 0.2, 0.4, 0.6))
    bpy.ops.bdfm.batch_move(list="takes", step=-1)
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}
    assert values(*heads) == pytest.approx([0.2, 0.6, 0.4], abs=1e-4)


def test_each_failure_is_said_and_the_others_go_on(batch, tmp_path):
    heads = {name: mesh(name, ["Key 1" if name == "Cube" else "smile"]) for name in NAMES}
    add(*heads.values())
    batch.pairing = "PAIRS"
    list_takes(takes(tmp_path, 0.2, 0.3, 0.4, 0.5))
    heads["Anna"].name = "Johanna"
    bpy.data.objects.remove(heads["Dora"])
    bpy.context.scene.collection.objects.unlink(heads["Emil"])
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}
    assert values(heads["Anna"]) == pytest.approx([0.2], abs=1e-4)
    said = {item.name: (item.status, item.message) for item in batch.characters}
    assert {name: status for name, (status, _) in said.items()} == {
        "Cube": "FAILED", "Dora": "FAILED", "Emil": "FAILED", "Anna": "BAKED", "Fritz": "FAILED",
    }  # fmt: skip
    assert said["Cube"][1].startswith("Cube: no mapping fits")
    assert said["Dora"][1].startswith("Dora: not in this scene any more")
    assert said["Emil"][1].startswith("Emil: not in this scene any more")
    assert said["Fritz"][1].startswith("Fritz: there is no take for it")


def test_a_damaged_take_stops_no_other(batch, tmp_path):
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta", "Carl")]
    add(*heads)
    batch.pairing = "PAIRS"
    paths = takes(tmp_path, 0.2, 0.3, 0.4)
    list_takes(paths)
    paths[0].write_text("no take")
    paths[1].unlink()
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}
    assert [item.status for item in batch.characters] == ["FAILED", "FAILED", "BAKED"]
    assert "take 1.csv" in batch.characters[0].message
    assert "take 2.csv" in batch.characters[1].message
    assert values(heads[2]) == pytest.approx([0.4], abs=1e-4)


def test_an_error_of_ours_stops_no_other(batch, tmp_path, part, monkeypatch, capfd):
    module = part("blender.batch")
    bake_steps = module.bake_steps

    def broken(performance, character, *arguments):
        if character.name == "Berta":
            raise ValueError("no such thing")
        return bake_steps(performance, character, *arguments)

    monkeypatch.setattr(module, "bake_steps", broken)
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta", "Carl")]
    add(*heads)
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}
    assert [item.status for item in batch.characters] == ["BAKED", "FAILED", "BAKED"]
    assert batch.characters[1].message.startswith("Berta: not baked, by an error that was not foreseen (ValueError: no")
    assert "in broken" in capfd.readouterr().err, "the terminal shows where"
    assert values(*heads) == pytest.approx([0.5, 0, 0.5], abs=1e-4)


def test_a_mapping_with_half_a_character_fails_for_its_own_character_alone(batch, tmp_path, keep_mappings):
    folder = keep_mappings(mapping_data({"AU12": [{"kind": "shape_key", "name": "smile"}]}, id="bad", source="\ud800x"))
    assert "\\ud800" in (folder / "bad.json").read_text()
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta")]
    add(*heads)
    heads[0]["bdfm_mapping"] = "bad"
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}
    assert [item.status for item in batch.characters] == ["FAILED", "BAKED"]


def test_a_message_bears_the_name_that_the_character_has_now(batch, tmp_path, part, keep_mappings, layout, monkeypatch):
    missing = {"AU12": [{"kind": "shape_key", "name": "smile"}], "AU26": [{"kind": "shape_key", "name": "gone"}]}
    keep_mappings(mapping_data(missing))
    head = mesh("Anna", ["smile"])
    add(head)
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    head.name = "Berta"
    bpy.ops.bdfm.batch_bake()
    assert batch.characters[0].status == "WARNED"
    drawn = []
    monkeypatch.setattr(part("ui.batch"), "draw_text", lambda layout, text, icon: drawn.append(text))
    part("ui.batch").draw_state(layout, batch)
    head.name = "Carla"
    part("ui.batch").draw_state(layout, batch)
    assert [text.partition(":")[0] for text in drawn] == ["Berta", "Carla"]


def test_where_all_fail_it_is_an_error(batch, tmp_path):
    add(mesh("Cube", ["Key 1"]))
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    with pytest.raises(RuntimeError, match="Cube: no mapping fits"):
        bpy.ops.bdfm.batch_bake()
    assert not bpy.data.actions


def test_a_character_that_became_part_of_another(batch, tmp_path):
    head, other = mesh("Anna", ["smile"]), mesh("Berta", ["smile"])
    add(head, other)
    head.parent = armature("Rig", {"jaw": "XYZ"})
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}
    assert batch.characters[0].message.startswith("Anna: part of another character")


def test_a_character_that_is_deleted_between_two_others(batch, tmp_path, part):
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta", "Carl")]
    add(*heads)
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    outcomes = (step for step in run_list(part) if not isinstance(step, float))
    assert next(outcomes).report
    bpy.data.objects.remove(heads[1])
    assert "Berta: deleted while" in next(outcomes).reason
    assert next(outcomes).report


def test_a_batch_that_is_stopped_keeps_what_is_done(batch, tmp_path, part):
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta")]
    add(*heads)
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    steps = run_list(part)
    while not isinstance(next(steps), part("blender.batch").Outcome):
        pass
    assert isinstance(next(steps), float) and isinstance(next(steps), float)
    steps.close()
    assert len(bpy.data.actions) == 1
    assert values(*heads) == pytest.approx([0.5, 0], abs=1e-3)


def test_one_undo_step_takes_all_back(batch, tmp_path):
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta")]
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    add(*heads)
    bpy.ops.ed.undo_push(message="before the bake")
    bpy.ops.bdfm.batch_bake("EXEC_DEFAULT", True)
    assert bpy.data.actions
    bpy.ops.ed.undo()
    assert not bpy.data.actions
    assert all(bpy.data.objects[name].data.shape_keys.animation_data is None for name in ("Anna", "Berta"))
    assert [item.status for item in bpy.context.scene.bdfm.batch.characters] == ["WAITING"] * 2


def test_the_mapping_of_a_character_is_the_one_that_it_keeps(batch, tmp_path, part):
    head = mesh("Anna", ["smile", "grin"])
    add(head)
    batch.characters[0].mapping = "hand"
    (character,) = part("blender.rig").characters_in([head], bpy.context.scene)
    assert part("blender.rig_choice").chosen_id(character) == "hand"
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    bpy.ops.bdfm.batch_bake()
    assert values(head, key="grin") == pytest.approx([0.5], abs=1e-4)
    assert values(head) == [0.0]
    batch.characters[0].mapping = ""
    assert part("blender.rig_choice").chosen_id(character) == ""


def test_characters_that_share_their_keys_are_told_of_it(batch, tmp_path):
    first = mesh("Anna", ["smile"])
    twin = bpy.data.objects.new("Twin", first.data)
    bpy.context.scene.collection.objects.link(twin)
    add(first, twin)
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    bpy.ops.bdfm.batch_bake()
    assert [item.status for item in batch.characters] == ["WARNED", "WARNED"]
    assert "also belongs to Anna" in batch.characters[1].message


def test_lists_are_kept_in_order_and_emptied_without_deleting(batch):
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta", "Carl")]
    add(*heads)
    assert batch.characters_active == 2
    bpy.ops.bdfm.batch_move(list="characters", step=-1)
    assert bpy.ops.bdfm.batch_move(list="characters", step=5) == {"CANCELLED"}
    assert [item.name for item in batch.characters] == ["Anna", "Carl", "Berta"]
    for left in (2, 1, 0):
        bpy.ops.bdfm.batch_remove(list="characters")
        assert len(batch.characters) == left
    assert bpy.ops.bdfm.batch_remove(list="characters") == {"CANCELLED"}
    assert set(bpy.data.objects) == set(heads)


def test_buttons_say_why_they_are_grey(batch, tmp_path):
    assert not bpy.ops.bdfm.batch_add_characters.poll()
    assert not bpy.ops.bdfm.batch_bake.poll()
    add(mesh("Anna", ["smile"]))
    assert not bpy.ops.bdfm.batch_bake.poll()
    batch.pairing = "PAIRS"
    assert not bpy.ops.bdfm.batch_bake.poll()
    list_takes(takes(tmp_path, 0.5))
    assert bpy.ops.bdfm.batch_bake.poll()
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    bpy.context.scene.collection.objects.link(lamp)
    select(lamp)
    with pytest.raises(RuntimeError, match="Select an armature"):
        bpy.ops.bdfm.batch_add_characters()


def test_the_lists_are_saved_with_the_file(batch, tmp_path):
    add(mesh("Anna", ["smile"]))
    list_takes(takes(tmp_path, 0.5))
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    batch = bpy.context.scene.bdfm.batch
    assert batch.characters[0].top == bpy.data.objects["Anna"]
    assert [take.path for take in batch.takes] == [str(tmp_path / "take 1.csv")]


def test_the_panel_draws_in_every_state(batch, tmp_path, part, capfd, layout):
    """All but Blender's own frame of a list, which needs a window."""
    panel, lists = part("ui.batch"), part("ui.batch_lists")

    def draw():
        panel.draw_state(layout, batch)
        for index, item in enumerate(batch.characters):
            batch.characters_active = index
            lists.draw_character(layout, item)
            lists.BDFM_UL_batch_characters.draw_row(None, bpy.context, layout, item, index)
            panel.draw_state(layout, batch)
        for index, item in enumerate(batch.takes):
            lists.BDFM_UL_batch_takes.draw_row(None, bpy.context, layout, item, index)

    draw()
    heads = [mesh(name, ["Key 1" if name == "Cube" else "smile"]) for name in NAMES]
    add(*heads)
    bpy.ops.bdfm.load_take(filepath=str(takes(tmp_path, 0.5)[0]))
    list_takes([tmp_path / "take 1.csv"])
    bpy.data.objects.remove(heads[0])
    draw()
    bpy.ops.bdfm.batch_bake()
    draw()
    panel.BDFM_OT_batch_bake.progress = 1, 5
    try:
        draw()
    finally:
        panel.BDFM_OT_batch_bake.progress = None
    assert "not found" not in "".join(capfd.readouterr())
