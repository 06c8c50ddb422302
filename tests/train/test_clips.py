# SPDX-License-Identifier: MIT
import numpy as np

from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.rows import Row
from bdfm_infer.take import Take
from bdfm_train.evaluation.clips import blinks, tremble


def take_of(values: np.ndarray) -> Take:
    rotation, face = np.zeros(3), np.array([10.0, 10.0, 5.0])
    return Take.from_rows([Row(i, i / 25, 1.0, rotation, face, row) for i, row in enumerate(values)])


def test_each_closing_of_both_eyes_is_one_blink() -> None:
    values = np.zeros((30, 23))
    left, right = AU_NAMES.index("eye_closed_left"), AU_NAMES.index("eye_closed_right")
    values[3:6, [left, right]] = 0.9
    values[15:17, [left, right]] = 0.7
    values[22:25, left] = 0.9  # a wink
    assert blinks(take_of(values)) == 2


def test_tremble_passes_over_a_steady_movement() -> None:
    values = np.zeros((40, 23))
    values[:, 0] = np.linspace(0, 1, 40)
    values[1::2, 1] = 0.1
    found = tremble(take_of(values))
    assert found[0] < 1e-9
    assert found[1] == 0.2  # 0, 0.1, 0: second difference 0.2
