# SPDX-License-Identifier: MIT
"""The parametric face model: two heads in the 269-parameter schema of :mod:`bdfm_infer.parameters`.

Head A is built from MakeHuman (CC0), head B from ICT-FaceKit (MIT) dressed with MakeHuman's textures.
``python -m bdfm_train.face_model.build --out DIR`` builds both from the folder that ``BDFM_SOURCES`` names.
"""
