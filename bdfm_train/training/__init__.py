# SPDX-License-Identifier: MIT
"""Training loops."""
