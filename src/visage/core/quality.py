"""How well a face can be recognized: its size, sharpness and pose, read off the crop and the five points."""

import math

import cv2
import numpy as np

from visage.core.values import Face, Floats, Pixels, Quality

# Variance of the Laplacian of a 112-pixel grey crop (Pech-Pacheco et al. 2000) at which sharpness is one half: sharp
# photos have 300 and more, a face smeared over four pixels has 20.
HALF_SHARP = 60.0
SHARPNESS_SIZE = 112

# A face this large (pixels, shorter side) loses nothing to a larger one: embedders look at 112 to 150 pixels.
FULL_SIZE = 112.0

# In a frontal face the nose tip stands this far down from the eyes to the mouth.
FRONTAL_NOSE = 0.54


def measure_quality(face: Face, crop: Pixels) -> Quality:
    """crop: the face as the embedder sees it, (h, w, 3)."""
    yaw, pitch, roll = pose(face.landmarks)
    sharpness = measure_sharpness(crop)
    score = min(1.0, face.size / FULL_SIZE) ** 0.5 * sharpness**0.5
    score *= max(0.0, math.cos(math.radians(yaw))) * max(0.0, math.cos(math.radians(pitch)))
    return Quality(
        size=face.size, sharpness=sharpness, yaw=yaw, pitch=pitch, roll=roll, score=float(np.clip(score, 0, 1))
    )


def measure_sharpness(crop: Pixels) -> float:
    """0 (smeared) .. 1 (crisp)."""
    # Green stands for grey: it carries most of the brightness, and no conversion is needed.
    green = cv2.resize(crop[:, :, 1], (SHARPNESS_SIZE, SHARPNESS_SIZE), interpolation=cv2.INTER_LINEAR)
    variance = float(cv2.meanStdDev(cv2.Laplacian(green, cv2.CV_16S))[1][0, 0]) ** 2
    return variance / (variance + HALF_SHARP)


def pose(landmarks: Floats) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees from the five points. Rough: within some ten degrees for yaw, worse for pitch.

    Yaw is positive when the nose points to the picture's right, pitch when it points down, roll clockwise.
    """
    eye_left, eye_right, nose, mouth_left, mouth_right = landmarks.astype(np.float64)
    across = eye_right - eye_left
    roll = math.degrees(math.atan2(across[1], across[0]))
    eyes, mouth = (eye_left + eye_right) / 2, (mouth_left + mouth_right) / 2
    down = mouth - eyes
    height = float(np.hypot(*down))
    width = float(np.hypot(*across))
    if height < 1e-3 and width < 1e-3:
        return 0.0, 0.0, roll
    # The nose leaves the line from the eyes to the mouth by about half a face height at 90 degrees.
    reach = nose - eyes
    along = float(reach @ down) / max(height**2, 1e-6)
    beside = float(reach[0] * down[1] - reach[1] * down[0]) / max(height, 1e-6)
    yaw = math.degrees(math.asin(float(np.clip(beside / (0.55 * max(height, width * 0.8)), -1, 1))))
    pitch = math.degrees(math.asin(float(np.clip((along - FRONTAL_NOSE) * 2.0, -1, 1))))
    return yaw, pitch, roll
