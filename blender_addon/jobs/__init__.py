# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture runs in a process of its own; this is the add-on's end of it. No bpy."""
