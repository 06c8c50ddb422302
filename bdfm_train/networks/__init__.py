# SPDX-License-Identifier: MIT
"""The paper's networks: F_seg with landmarks beside its parsing, the representation T, the regressor R."""
