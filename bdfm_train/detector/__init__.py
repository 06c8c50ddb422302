# SPDX-License-Identifier: MIT
"""The face detector: composited training pictures, a small network, its training, export and evaluation."""
