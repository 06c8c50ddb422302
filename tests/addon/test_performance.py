# SPDX-License-Identifier: MIT
"""A take's values as they are baked."""

from __future__ import annotations

import numpy as np

from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.rows import Row
from bdfm_infer.take import Take
from blender_addon.core.mapping import SOURCES
from blender_addon.core.performance import Performance


def test_columns_are_the_sources_of_a_mapping() -> None:
    units = np.arange(len(AU_NAMES)) / 100
    lost = Row(1, 0.1, 0.0)
    take = Take.from_rows([Row(0, 0.0, 1.0, np.array([10.0, 20, 30]), np.zeros(3), units), lost])
    performance = Performance.from_take(take, "clip")
    assert performance.name == "clip"
    for column, name in enumerate(SOURCES):
        np.testing.assert_array_equal(performance.values[:, column], take.channel(name))
    assert np.isnan(performance.values[1]).all()
    np.testing.assert_array_equal(performance.timestamps, take.timestamps)
