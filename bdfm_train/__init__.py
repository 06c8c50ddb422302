# SPDX-License-Identifier: MIT
"""BDFM training: the face model on two heads, renderer, networks, training, evaluation and export."""
