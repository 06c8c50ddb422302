# SPDX-License-Identifier: MIT
"""The demo: a clip becomes a take, the take becomes keyframes on three characters, and pictures show both."""
