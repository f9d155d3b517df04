"""Visage: real, practical face recognition for photos and videos.

from visage import open_engine

with open_engine() as engine:
    engine.enroll("grace.jpg", "Grace Hopper")
    for sighting in engine.recognize("party.jpg").sightings:
        print(sighting.name, sighting.face.box)
"""

from visage.core.answers import Answer, Outcome
from visage.core.engine import Engine
from visage.core.errors import (
    GalleryError,
    InputError,
    ModelError,
    ServiceError,
    StorageError,
    UsageError,
    VisageError,
)
from visage.core.values import (
    Appearance,
    EnrollOptions,
    Face,
    Frame,
    Job,
    JobKind,
    Match,
    MatchOptions,
    Person,
    Sampling,
    Sighting,
)
from visage.settings import load_settings
from visage.wiring import open_annotator, open_engine

__all__ = [
    "Answer",
    "Appearance",
    "Engine",
    "EnrollOptions",
    "Face",
    "Frame",
    "GalleryError",
    "InputError",
    "Job",
    "JobKind",
    "Match",
    "MatchOptions",
    "ModelError",
    "Outcome",
    "Person",
    "Sampling",
    "ServiceError",
    "Sighting",
    "StorageError",
    "UsageError",
    "VisageError",
    "load_settings",
    "open_annotator",
    "open_engine",
]
