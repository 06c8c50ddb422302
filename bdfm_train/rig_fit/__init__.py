# SPDX-License-Identifier: MIT
"""How well mappings move a face: their action units beside those that artists made."""
