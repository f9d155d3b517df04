"""A photo in, a name out: `python -m visage.apps.face_recognition face.jpg`, the app tier's work on one file."""

import sys

from visage.core.engine import Engine
from visage.core.errors import VisageError
from visage.core.values import UNKNOWN
from visage.wiring import open_engine


def recognize_name(engine: Engine, source: str) -> str:
    """The name of the most prominent (largest) face in the photo or video at path `source`; `unknown` for nobody."""
    seen = engine.recognize(source).sightings
    return max(seen, key=lambda one: one.face.area).name if seen else UNKNOWN


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m visage.apps.face_recognition PHOTO")
    try:
        with open_engine() as engine:
            print(recognize_name(engine, sys.argv[1]))  # noqa: T201
    except VisageError as error:
        sys.exit(f"visage: {error}")


if __name__ == "__main__":
    main()
