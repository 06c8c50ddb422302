# SPDX-License-Identifier: MIT
"""What the trained networks are worth, each figure by one command."""
