# SPDX-License-Identifier: MIT
"""What the networks are trained on: photos with landmarks, shards of renders, their augmentation."""
