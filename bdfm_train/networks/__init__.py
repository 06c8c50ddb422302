# SPDX-License-Identifier: MIT
"""The paper's networks: F_seg with landmarks beside its parsing, the representation T, the regressor R, G and F_rec.

The published networks that may stand in for some of them are here, too.
"""
