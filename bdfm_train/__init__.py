# SPDX-License-Identifier: MIT
"""BDFM training: the face model on two heads, renderer, networks, training, evaluation and export."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as in bdfm_infer.network: ONNX Runtime asks once, at its import
