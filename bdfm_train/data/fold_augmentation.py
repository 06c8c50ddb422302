# SPDX-License-Identifier: MIT
"""Folds of the skin on photos: what the renderer draws with folds over what it draws without, times the photo.

The ratio of two renders of one face in one light is free of its skin's colour (Liu, Shan and Zhang, "Expressive
Expression Mapping with Ratio Images", 2001). It is carried over to the photo by the 68 landmarks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from bdfm_infer.parameters import AU_SLICE, parameter_from_intensity
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.landmark_fit import LandmarkFit, photo_points
from bdfm_train.face_model.looks import FAIREST, Look, View, random_look
from bdfm_train.face_model.render import Renderer
from bdfm_train.face_model.renders import LUMINANCE
from bdfm_train.face_model.wrinkles import GROUPS, fold_strength

from .photos import Photo

_SIZE: Final = 192
_SHALLOWEST: Final = 0.4
"""Least depth of folds, of the looks' usual one."""
_DARK: Final = 4.0
"""Grey levels below which a render says nothing of folds."""
_RANGE: Final = (0.4, 1.6)
"""Of the ratio."""
_BEND: Final = 1.0
"""By how much the map between landmarks may miss them, for the sake of smoothness (thin plate spline)."""
_STEP: Final = 4
"""Pixels between the places that are mapped exactly; smoothly between them."""
_EDGE: Final = 0.06
"""Share of the distance between the eyes over which folds fade in at the outline of the face."""

FloatArray = NDArray[np.float32]


class FoldAugmenter:
    """Draws folds into photos.

    Args:
        head: whose folds they are.
    """

    def __init__(self, head: Head) -> None:
        self._renderer = Renderer(head, (_SIZE, _SIZE))
        self._points = photo_points(head)

    def fold(self, photo: Photo, fit: LandmarkFit, gained: FloatArray, rng: np.random.Generator) -> Photo:
        """The photo with the folds of action units that it did not show before; unchanged where they make none.

        Args:
            photo: its landmarks are where the expression has moved them already.
            fit: of the photo before, by the landmarks of photos.
            gained: (23,) intensities added.
            rng: draws light, lines and depth of the folds.
        """
        if not fold_strength(gained, 1.0, np.zeros(len(GROUPS), np.float32)).any():
            return photo
        parameters = fit.parameters.copy()
        parameters[AU_SLICE] = parameter_from_intensity(gained)
        view = View(rotation=fit.camera.rotation)
        ratio = self._ratio(parameters, view, self._look(rng))
        landmarks = self._renderer.landmarks(parameters, view, self._points)
        carried = _carried(ratio, landmarks, photo)
        image = np.clip(photo.image * carried + 0.5, 0, 255).astype(np.uint8)
        return replace(photo, image=image)

    def _look(self, rng: np.random.Generator) -> Look:
        """A random look of bare fair skin."""
        look = random_look(self._renderer.head, self._renderer.shape, rng)
        palette = look.palette.copy()
        palette[0] = FAIREST / self._renderer.head.skin_means[look.skins[0]]
        tone = look.tone._replace(skin_mix=0.0, chin_beard=0.0, full_beard=0.0, specular=0.0)
        depth = max(look.fold_depth, _SHALLOWEST)
        nothing = np.zeros_like(look.folds_at_rest)
        return replace(
            look, palette=palette, tone=tone, hair=None, glasses=None, fold_depth=depth, folds_at_rest=nothing
        )

    def _ratio(self, parameters: FloatArray, view: View, look: Look) -> FloatArray:
        folded, smooth = (
            self._renderer(parameters, one, view).image @ LUMINANCE + _DARK
            for one in (look, replace(look, fold_depth=0.0))
        )
        return np.clip(folded / smooth, *_RANGE).astype(np.float32)


def _carried(ratio: FloatArray, landmarks: FloatArray, photo: Photo) -> FloatArray:
    """A render's ratio where the photo has the same places, (h, w); 1 outside of the face."""
    height, width = photo.image.shape
    coarse = [np.linspace(0, n - 1, n // _STEP + 1) for n in (width, height)]
    grid = np.stack(np.meshgrid(*coarse), axis=2)
    back = RBFInterpolator(photo.landmarks, landmarks, smoothing=_BEND, kernel="thin_plate_spline")
    places = back(grid.reshape(-1, 2)).reshape(grid.shape).astype(np.float32)
    places = _between(places, (height, width))
    carried = cv2.remap(ratio, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1.0)
    eyes = float(np.linalg.norm(photo.landmarks[36:42].mean(0) - photo.landmarks[42:48].mean(0)))
    inside = np.zeros((height, width), np.float32)
    cv2.fillPoly(inside, [np.round(photo.oval).astype(np.int32)], 1.0)
    inside = np.clip(2 * cv2.GaussianBlur(inside, (0, 0), _EDGE * eyes) - 1, 0, 1)
    return 1 + (carried - 1) * inside


def _between(corners: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Values (h, w, 2) at each pixel, linear between those (n, m, 2) given from the first to the last pixel."""
    rows, columns = (
        np.linspace(0, n - 1, size, dtype=np.float32) for n, size in zip(corners.shape, shape, strict=False)
    )
    across, down = np.meshgrid(columns, rows)
    return cv2.remap(corners, across, down, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
