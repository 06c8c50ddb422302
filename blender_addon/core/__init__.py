# SPDX-License-Identifier: GPL-3.0-or-later
"""From a take to the channels of a rig, without bpy: mappings, matching of names, retargeting, timing, rotations."""
