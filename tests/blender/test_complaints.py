# SPDX-License-Identifier: MIT
"""What users of other face capture tools complain about, loudest first: it cannot be said of this one.

The complaints and where they were made: ``docs/peers.md``. That packages fail to install into Blender's Python is also
tested on the built zip: ``test_nothing_is_downloaded.py`` and ``test_install.py`` in ``tests/release``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import bpy
import numpy as np
import pytest
from conftest import ROOT
from footage import sample_frames, write_clip
from scenes import armature, make_rows, mapping_data, mesh, select, write_take

from bdfm_infer.export import export
from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.take import Take

ARKIT = tuple(json.loads((ROOT / "bdfm_infer" / "data" / "arkit.json").read_text(encoding="utf-8"))["order"])
SMILE = {"kind": "shape_key", "name": "smile"}


def values(item, key, frames):
    """What a shape key shows in these frames."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(int(np.floor(frame)), subframe=float(frame % 1))
        found.append(item.data.shape_keys.key_blocks[key].value)
    return np.array(found)


def load_and_bake(path, *items):
    bpy.ops.bdfm.load_take(filepath=str(path))
    select(*items)
    assert bpy.ops.bdfm.bake() == {"FINISHED"}


WITHOUT_PACKAGES = """
import os, sys
for name in ("cv2", "onnxruntime", "PIL", "tqdm", "mediapipe", "torch"):
    sys.modules[name] = None  # an import of it fails
import bpy
bpy.context.preferences.extensions.repos.new(name="T", module="t", custom_directory=sys.argv[1], remote_url="")
bpy.ops.preferences.addon_enable(module="bl_ext.t.bdfm_face_capture")
data = bpy.data.meshes.new("Face")
data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
face = bpy.data.objects.new("Face", data)
bpy.context.scene.collection.objects.link(face)
for key in ("Basis", *sys.argv[3:]):
    face.shape_key_add(name=key).value = 0
bpy.context.view_layer.update()
face.select_set(True)
bpy.ops.bdfm.load_take(filepath=sys.argv[2])
bpy.ops.bdfm.bake()
bpy.context.scene.frame_set(25)
print("OPEN", face.data.shape_keys.key_blocks["jawOpen"].value, flush=True)
os._exit(0)
"""


def test_1_dependencies_fail_to_install_in_blenders_python(tmp_path):
    """Half of the trackers are about pip inside Blender: versions that are gone, packages that conflict, no rights.

    Here nothing is installed into Blender, and a Blender that lacks every package of the inference still enables the
    add-on, reads a take and bakes it. What the capture says then: ``test_worker.py``.
    """
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "bdfm_face_capture").symlink_to(ROOT / "blender_addon", target_is_directory=True)
    table = tmp_path / "openface.csv"
    export(Take.from_rows(make_rows(np.arange(25) / 24, AU26=0.9)), "openface", table)
    script = [sys.executable, "-c", WITHOUT_PACKAGES, str(tmp_path / "repository"), str(table), *ARKIT]
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "user"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=False)
    opened = [line for line in done.stdout.splitlines() if line.startswith("OPEN")]
    assert opened and float(opened[0].split()[1]) > 0.5, done.stdout + done.stderr


@pytest.fixture
def session(part, tmp_path):
    """A capture of a long clip that has begun, as the operator's timer drives it."""
    bpy.context.scene.bdfm.take_folder = str(tmp_path)
    write_clip(tmp_path / "long.avi", sample_frames(20) * 6)
    bpy.ops.bdfm.queue_add(directory=str(tmp_path), files=[{"name": "long.avi"}])
    session = part("ui.capture_session").Session(lambda level, text: None)
    while not bpy.context.window_manager.bdfm_capture.factor:
        assert not session.step(bpy.context)
        time.sleep(0.02)
    yield session
    session.stop(bpy.context)


def test_2_blender_freezes_or_dies_while_it_processes(session, tmp_path):
    """Others read the video in Blender's own process: it does not respond, and a crash takes the scene along.

    Here the timer's step returns although the worker is stopped dead and says nothing; the artist goes on working and
    undoing; the worker is killed, and Blender reports it with the frames that are kept.
    """
    os.kill(session.worker.pid, signal.SIGSTOP)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(20)
    for _ in range(50):
        assert not session.step(bpy.context)
    signal.alarm(0)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="cube")
    bpy.context.scene.frame_set(7)
    bpy.ops.ed.undo()
    assert not bpy.data.objects
    os.kill(session.worker.pid, signal.SIGKILL)
    while not session.step(bpy.context):
        time.sleep(0.02)
    (item,) = bpy.context.window_manager.bdfm_capture.queue
    rows = len(Take.read(tmp_path / "long.csv"))
    assert item.state == "FAILED" and rows > 0 and f"{rows} frames are kept" in item.message


@pytest.mark.parametrize("tool", ["bdfm", "openface", "livelinkface"])
def test_3_wrong_speed(tool, tmp_path):
    """A row taken for a frame: a clip of 30 frames a second is too slow at 24, too fast at 60, and 23.976 drifts.

    Here the jaw opens at the same second in any scene, out of our take at a varying rate and out of others' tables.
    """
    rate = np.where(np.arange(600) % 3, 1 / 60, 1 / 20) if tool == "bdfm" else np.full(600, 1 / 30)
    times = np.cumsum(rate) - rate[0]
    opening, around = 15.0, np.linspace(-0.5, 0.5, 101)
    path = write_take(tmp_path / "bdfm.csv", times, AU26=np.clip((times - opening + 0.25) * 2, 0, 1))
    if tool != "bdfm":
        path = tmp_path / f"{tool}.csv"
        export(Take.read(tmp_path / "bdfm.csv"), tool, path)
    face = mesh("Face", ARKIT)
    for fps, base in ((24, 1.001), (25, 1.0), (60, 1.0)):
        bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = fps, base
        bpy.context.scene.bdfm.start_frame = 101
        load_and_bake(path, face)
        frames = 101 + (opening + around) * fps / base
        jaw = values(face, "jawOpen", frames)
        half = around[np.argmax(jaw >= jaw.max() / 2)]
        assert abs(half) < 0.02, f"{tool} at {fps}/{base} is {half:.3f} s off"


def test_4_jitter(tmp_path):
    """Curves that tremble on a face at rest, and filters that take the blinks along with the tremble.

    Here smoothing goes by groups: the defaults halve the brow's tremble, a lower cut-off leaves a tenth of it, and the
    blink stays as it is.
    """
    times = np.arange(240) / 24
    noise = np.random.default_rng(0).normal(0, 0.05, len(times))
    blink = np.where((times > 5) & (times < 5.1), 1.0, 0.0)
    path = write_take(tmp_path / "t.csv", times, AU01=0.5 + noise, eye_closed_left=blink, eye_closed_right=blink)
    face, cleaning = mesh("Face", ARKIT), bpy.context.scene.bdfm.cleaning
    bpy.ops.bdfm.load_take(filepath=str(path))
    select(face)
    brows, lids = [], []
    for method, hertz in (("none", 0), ("zero_phase", 0), ("zero_phase", 1)):
        cleaning.method = method
        cleaning.cutoff_brows = hertz or cleaning.cutoff_brows
        assert bpy.ops.bdfm.bake() == {"FINISHED"}
        brows.append(np.abs(np.diff(values(face, "browInnerUp", range(1, 241)), 2)).mean())
        lids.append(values(face, "eyeBlinkLeft", range(1, 241)))
    assert brows[1] < brows[0] / 2 and brows[2] < brows[0] / 10
    assert lids[1].max() > 0.85 * lids[0].max()
    assert lids[1].argmax() == pytest.approx(lids[0].argmax(), abs=3)
    assert lids[2] == pytest.approx(lids[1], abs=1e-6)


def test_4_dead_channels(part):
    """Channels that never move, or hardly: nose sneer, wide eyes.

    Here every action unit at its strongest moves some ARKit key by a third of its range at least. That the reader moves
    the action units that the sample clip shows: ``test_no_channel_is_dead`` in ``tests/infer/test_shipped_weights.py``.
    """
    mapping = part("blender.library").load_library().by_id("arkit")
    resolution = part("core.matching").resolve(mapping, part("core.rig").Rig("Face", {"Face": ARKIT}))
    channels = part("core.retarget").retarget(resolution, np.eye(len(AU_NAMES), len(AU_NAMES) + 3))
    strongest = np.abs([channel.values for channel in channels]).max(axis=0)
    assert dict(zip(AU_NAMES, strongest > 1 / 3, strict=True)) == dict.fromkeys(AU_NAMES, True)
    moved = {channel.name for channel in channels if np.abs(channel.values).max() > 1 / 3}
    assert moved >= {"noseSneerLeft", "noseSneerRight", "eyeWideLeft", "eyeWideRight"}


def test_5_the_persons_own_face_at_rest(tmp_path, part):
    """Half closed eyes and a smile that never goes, because the tool has no neutral; or it has one, and blinks die.

    Here one press takes the resting brow and smile out and leaves the eyes alone; it is kept with the take.
    """
    times = np.arange(120) / 24
    blink = np.where((times > 2) & (times < 2.3), 0.9, 0.15)
    smile = np.where(times > 3, 0.8, 0.2)
    path = write_take(tmp_path / "t.csv", times, AU01=0.3, AU12=smile, eye_closed_left=blink, eye_closed_right=blink)
    face = mesh("Face", ARKIT)
    load_and_bake(path, face)
    blinked = values(face, "eyeBlinkLeft", range(1, 121))
    assert values(face, "browInnerUp", [1]) > 0.1
    assert bpy.ops.bdfm.calibrate(method="AUTOMATIC") == {"FINISHED"}
    assert bpy.ops.bdfm.save_cleaning() == {"FINISHED"}
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    part("ui.takes")._loaded.clear()
    face = mesh("Face", ARKIT)
    load_and_bake(path, face)
    assert values(face, "browInnerUp", [1, 50, 120]) == pytest.approx(0, abs=1e-3)
    assert values(face, "mouthSmileLeft", [1]) == pytest.approx(0, abs=1e-3)
    assert values(face, "mouthSmileLeft", [120]) > 0.5
    assert values(face, "eyeBlinkLeft", range(1, 121)) == pytest.approx(blinked, abs=1e-3)


def test_6_my_rig_is_not_supported(tmp_path, part, keep_mappings):
    """Names in another spelling find nothing, one bone that was renamed is a KeyError, the teeth stay where they are.

    Here capitals are the same names, what is missing is listed, and every mesh with the key moves with the jaw's bone.
    A rig of wholly unknown names is posed once.
    """
    times = np.arange(25) / 24
    path = write_take(tmp_path / "t.csv", times, AU26=times, AU12=times)
    spelled = [key[0].upper() + key[1:] for key in ARKIT]
    rig = armature("Daz", {"jaw": "XYZ"})
    face, teeth = mesh("Face", spelled, rig), mesh("Teeth", ["JawOpen"], rig)
    load_and_bake(path, rig)
    assert values(face, "JawOpen", [25]) > 0.5 and values(teeth, "JawOpen", [25]) > 0.5

    jaw = {"kind": "bone_rotation", "bone": "lowerJaw", "axis": "x", "degrees": 20}
    corner = {"kind": "bone_location", "bone": "lid.T.R.002", "axis": "z", "amount": 0.1}
    mapping = mapping_data({"AU26": [{"kind": "shape_key", "name": "open"}, jaw], "AU12": [corner]}, id="cc")
    keep_mappings(mapping | {"fingerprint": {"shape_keys": ["open"]}})
    rig = armature("Creature", {"lowerJaw": "XYZ", "lid.T.R.003": "XYZ"})
    face = mesh("Mouth", ["open"], rig)
    load_and_bake(path, rig)
    (report,) = part("ui.bake").last_reports
    assert [(missing.name, missing.nearest[0]) for missing in report.missing] == [("lid.T.R.002", "lid.T.R.003")]
    assert values(face, "open", [25]) > 0.9
    assert np.degrees(rig.pose.bones["lowerJaw"].rotation_euler.x) == pytest.approx(20, abs=0.1)

    strange = armature("Strange", {"αβγ": "XYZ"})
    select(strange)
    bpy.ops.bdfm.start_posing()
    bpy.context.scene.bdfm.own_mapping.source = "AU26"
    strange.pose.bones["αβγ"].rotation_euler.x = 0.5
    bpy.ops.bdfm.capture_pose()
    bpy.ops.bdfm.finish_posing()
    bpy.ops.bdfm.save_mapping()
    load_and_bake(path, strange)
    bpy.context.scene.frame_set(25)
    assert strange.pose.bones["αβγ"].rotation_euler.x == pytest.approx(0.5, abs=1e-3)


def test_7_save_and_share_the_mapping(tmp_path, part, keep_mappings):
    """The assignment is made by hand, in one file, again for each scene and each colleague.

    Here it is a file: edited and saved in the panel, copied to a colleague, found there by the rig's names.
    """
    take = write_take(tmp_path / "t.csv", [0, 1], AU12=1.0)
    mine = keep_mappings(mapping_data({"AU12": [SMILE]}))
    select(mesh("Face", ["smile"]))
    bpy.ops.bdfm.edit_mapping()
    own = bpy.context.scene.bdfm.own_mapping
    own.name, own.source = "Ours", "AU12"
    own.active_target().amount = 0.25
    assert bpy.ops.bdfm.save_mapping() == {"FINISHED"}
    colleague = tmp_path / "colleague"
    colleague.mkdir()
    shutil.copy(mine / "ours.json", colleague)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.preferences.addons[part("ui.preferences").ADDON].preferences.mappings_folder = str(colleague)
    face = mesh("Another face", ["smile"])
    load_and_bake(take, face)
    assert part("ui.bake").last_reports[0].mapping == "Ours"
    assert values(face, "smile", [1]) == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize("target", ["NEW_ACTION", "ACTIVE_ACTION", "NLA_STRIP"])
def test_8_several_characters_that_are_animated_already(tmp_path, part, keep_mappings, curve_of, target):
    """One face at a time; the wrong person is taken; a bake deletes the walk or is not assigned to the character.

    Here take by take goes onto character by character in one press, and each keeps its walk and its own keyframes. That
    of two people in a clip the one that was picked is captured: ``test_capture_faces.py``.
    """
    keep_mappings(mapping_data({"AU12": [SMILE]}))
    takes = [write_take(tmp_path / f"{n}.csv", np.arange(25) / 24, AU12=size) for n, size in enumerate((0.3, 0.9))]
    rigs = [armature(name, {"hips": "XYZ"}) for name in ("Anna", "Bert")]
    faces = [mesh(f"{rig.name} face", ["smile", "blink"], rig) for rig in rigs]
    for rig, face in zip(rigs, faces, strict=True):
        for frame, height in ((1, 0.0), (25, 2.0)):
            rig.location.z = height
            rig.keyframe_insert("location", index=2, frame=frame)
            face.data.shape_keys.key_blocks["blink"].keyframe_insert("value", frame=frame)
    walks = [rig.animation_data.action for rig in rigs]
    select(*rigs)
    bpy.ops.bdfm.batch_add_characters()
    bpy.ops.bdfm.batch_add_takes(directory=str(tmp_path), files=[{"name": path.name} for path in takes])
    bpy.context.scene.bdfm.batch.pairing = "PAIRS"
    bpy.context.scene.bdfm.bake.target = target
    blinks = [face.data.shape_keys.animation_data.action for face in faces]
    assert bpy.ops.bdfm.batch_bake() == {"FINISHED"}
    assert [values(face, "smile", [13])[0] for face in faces] == pytest.approx([0.3, 0.9], abs=1e-3)
    assert [rig.animation_data.action for rig in rigs] == walks
    assert all(curve_of(rig, "location", 2).evaluate(25) == 2 for rig in rigs)
    for face, blink in zip(faces, blinks, strict=True):
        assert blink.name in bpy.data.actions and blink.users
        if target != "NEW_ACTION":
            assert curve_of(face.data.shape_keys, 'key_blocks["blink"].value') is not None
