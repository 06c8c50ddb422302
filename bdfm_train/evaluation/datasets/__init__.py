# SPDX-License-Identifier: MIT
"""Loaders of faces with labelled action units: the sets of the paper (section 3.1) in their published layouts.

Nobody here had these sets. The loaders follow the layouts that public code reads (docs/evaluation.md) and are tested on
folders that the tests make. Each module has ``load(root)``; :mod:`table` reads a CSV of one's own.
"""
