"""Five points -> the crop that an embedder wants. The template belongs to the embedder's card."""

import cv2
import numpy as np
from numpy.typing import NDArray

from visage.core.values import Floats, Pixels

# Under this scale a bilinear sample skips pixels of the photo, so the photo is first averaged down.
LEAST_SCALE = 0.6


def similarity_transform(points: Floats, template: Floats) -> NDArray[np.float64]:
    """The (2, 3) matrix of the rotation, scale and shift that brings `points` (k, 2) nearest to `template` (k, 2).

    Least squares without reflection (Umeyama 1991, in its closed form for the plane: written as complex numbers, the
    best rotation and scale is one complex factor).
    """
    p = points[:, 0].astype(np.float64) + 1j * points[:, 1]
    q = template[:, 0].astype(np.float64) + 1j * template[:, 1]
    p0, q0 = p.mean(), q.mean()
    spread = float(np.sum(np.abs(p - p0) ** 2))
    factor = complex(np.sum(np.conj(p - p0) * (q - q0)) / spread) if spread > 0 else 1.0 + 0.0j
    shift = q0 - factor * p0
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def crop_face(pixels: Pixels, landmarks: Floats, template: Floats, size: tuple[int, int]) -> Pixels:
    """(h, w, 3) picture and (5, 2) points -> (size[0], size[1], 3) crop, black where it reaches over the edge."""
    matrix = similarity_transform(landmarks, template)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if 0 < scale < LEAST_SCALE:
        pixels, matrix = _averaged_down(pixels, matrix, scale, size)
    # INTER_LINEAR by OpenCV: 0.13 ms a face, against 2.9 ms in numpy.
    crop = cv2.warpAffine(pixels, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    return crop.astype(np.uint8, copy=False)


def crop_faces(pixels: Pixels, landmarks: list[Floats], template: Floats, size: tuple[int, int]) -> list[Pixels]:
    """One crop for each face of one picture."""
    return [crop_face(pixels, points, template, size) for points in landmarks]


def _averaged_down(
    pixels: Pixels, matrix: NDArray[np.float64], scale: float, size: tuple[int, int]
) -> tuple[Pixels, NDArray[np.float64]]:
    """The part of the picture that the crop needs, averaged over whole pixels, and the matrix that fits it."""
    height, width = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    source = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    around = 1 / scale + 1  # the crop's outermost pixels blend with a neighbor, which must not be missing
    left, top = np.clip(np.floor(source.min(axis=0) - around), 0, None).astype(int)
    right, bottom = np.clip(np.ceil(source.max(axis=0) + around), 0, (pixels.shape[1], pixels.shape[0])).astype(int)
    if right - left < 2 or bottom - top < 2:
        return pixels, matrix
    part = pixels[top:bottom, left:right]
    small = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    averaged = cv2.resize(part, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    fx, fy = (right - left) / small[0], (bottom - top) / small[1]
    # A pixel's center lies half a pixel in, in both pictures.
    to_source = np.array([[fx, 0, left + fx / 2 - 0.5], [0, fy, top + fy / 2 - 0.5], [0, 0, 1]])
    return averaged, matrix @ to_source
