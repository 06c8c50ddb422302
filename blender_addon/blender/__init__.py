# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's data without its windows: reading characters, writing keyframes."""
