"""A face that matched nobody, as it is kept to be named: what a job brought, under keys that follow from the job."""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visage.core.errors import NoObjectError, StorageError
from visage.core.ports.objects import Objects
from visage.core.values import Floats, Quality

FACES = "faces"
CROPS = "crops"
VERSION = 1
_OFF = 0.01  # how much longer or shorter a vector may be than 1
TRIES = 10  # each that fails means that somebody else wrote the object anew meanwhile


class State(StrEnum):
    """What became of an unknown face."""

    NEW = "new"
    IGNORED = "ignored"
    NOT_A_FACE = "not_a_face"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class Stands:
    """The faces of an answer that one kept face stands for: their places in `faces` (n,) int32, its own among them, and
    how similar each is to it (n,) float32."""

    places: NDArray[np.int32]
    similarities: Floats

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True, slots=True)
class Unknown:
    """One kept face. id: 32 hex digits, under which it is enrolled when it is named. place: its own in the answer's
    `faces`; all that is called after it is the same whichever worker does the job. group: those of one job with the
    same number are one person's. time: seconds into a video. vector: (d,) float32, unit. crop: whether a JPEG of it is
    kept; landmarks: (5, 2) in its pixels. digest: of the picture, as `EnrolledFace` has it. state: None until somebody
    decides. person_id, face_id: as whom it was named, and the enrolled face that says so."""

    id: str
    place: int
    group: int
    time: float
    vector: Floats
    landmarks: Floats
    quality: Quality
    digest: str
    crop: bool
    stands: Stands
    state: State | None = None
    person_id: str | None = None
    face_id: str | None = None


@dataclass(frozen=True, slots=True)
class Haul:
    """What one job brought. source: what the client called the file. created: when the job was handed in, seconds since
    1970. apart: pairs of groups that were seen in one picture, so that they are two people; None where all were."""

    job: str
    collection: str
    model: str
    source: str
    created: float
    faces: tuple[Unknown, ...]
    apart: tuple[tuple[int, int], ...] | None = None

    def groups(self) -> dict[int, list[Unknown]]:
        """The faces by their groups."""
        found: dict[int, list[Unknown]] = {}
        for face in self.faces:
            found.setdefault(face.group, []).append(face)
        return found

    def pictures(self, group: int) -> frozenset[str]:
        """Names of pictures; two groups share one where they cannot be the same person."""
        if self.apart is None:
            return frozenset([self.job])
        return frozenset(f"{self.job}/{one}-{other}" for one, other in self.apart if group in {one, other})


def unknown_id(job: str, place: int) -> str:
    return hashlib.sha256(f"{job}/{place}".encode()).hexdigest()[:32]


def faces_key(job: str) -> str:
    return f"{FACES}/{job}.json"


def crops_folder(job: str) -> str:
    return f"{CROPS}/{job}"


def crop_key(job: str, place: int) -> str:
    return f"{CROPS}/{job}/{place}.jpg"


def naming_key(collection: str) -> str:
    """Where whoever gives names in a collection claims to be alone."""
    return f"naming/{hashlib.sha256(collection.encode()).hexdigest()[:32]}.json"


_KEY = re.compile(rf"{FACES}/[0-9a-f]{{32}}\.json|{CROPS}/[0-9a-f]{{32}}/[0-9]+\.jpg")


def keys_in(objects: Objects, before: float | None = None) -> Iterator[str]:
    """The keys of all that is kept, or of what was last written before that time; nothing else that lies there."""
    for folder in (CROPS, FACES):
        for stored in objects.list(folder):
            if _KEY.fullmatch(stored.key) and (before is None or stored.modified < before):
                yield stored.key


def haul_to_bytes(haul: Haul) -> bytes:
    return json.dumps(
        {
            "visage": VERSION,
            "job": haul.job,
            "collection": haul.collection,
            "model": haul.model,
            "source": haul.source,
            "created": haul.created,
            "apart": haul.apart,
            "faces": [_face_to_json(face) for face in haul.faces],
        },
        separators=(",", ":"),
    ).encode()


def haul_from_bytes(data: bytes, key: str) -> Haul:
    """Raises `StorageError` for what `haul_to_bytes` did not write. key: where it lies, for the message."""
    try:
        record = json.loads(data)
        if record["visage"] != VERSION:
            raise ValueError("another version")
        apart = record["apart"]
        faces = tuple(_face_from_json(str(record["job"]), face) for face in record["faces"])
        if len({face.place for face in faces}) < len(faces):
            raise ValueError("two faces in one place")
        return Haul(
            job=str(record["job"]),
            collection=str(record["collection"]),
            model=str(record["model"]),
            source=str(record["source"]),
            created=float(record["created"]),
            faces=faces,
            apart=None if apart is None else tuple((int(one), int(other)) for one, other in apart),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{key}: what is stored there is damaged; delete it") from error


def decided(face: Unknown, state: State) -> Unknown:
    """The face in that state, named as nobody."""
    return replace(face, state=state, person_id=None, face_id=None)


def is_of(face: Unknown, person_id: str | None, face_ids: Collection[str]) -> bool:
    """Whether it was named as this person, or goes by one of these enrolled faces."""
    named = person_id is not None and face.person_id == person_id
    return named or face.id in face_ids or face.face_id in face_ids


def forget_of_job(objects: Objects, job: str) -> None:
    """Erase all faces that came in this job. Raises `StorageError`."""
    objects.delete([stored.key for stored in objects.list(crops_folder(job))])
    objects.delete([faces_key(job)])


def forget_named(objects: Objects, collection: str, person_id: str | None, face_ids: Collection[str]) -> int:
    """Erase the faces of a person from the store, with nothing in memory; how many. Raises `StorageError`."""
    return sum(
        _forget_in(objects, stored.key, collection, person_id, face_ids)
        for stored in objects.list(FACES)
        if _KEY.fullmatch(stored.key)
    )


def _forget_in(objects: Objects, key: str, collection: str, person_id: str | None, face_ids: Collection[str]) -> int:
    for _ in range(TRIES):
        try:
            data, version = objects.read(key)
        except NoObjectError:
            return 0
        haul = haul_from_bytes(data, key)
        gone = [face for face in haul.faces if is_of(face, person_id, face_ids)]
        faces = [face for face in haul.faces if not is_of(face, person_id, face_ids)]
        if haul.collection != collection or not gone:
            return 0
        objects.delete([crop_key(haul.job, face.place) for face in gone])
        if objects.replace(key, haul_to_bytes(replace(haul, faces=tuple(faces))), version):
            if not faces:  # the file's name may tell who they were
                objects.delete([key])
            return len(gone)
    raise StorageError(f"{key}: it is written again and again; try again")


def _face_to_json(face: Unknown) -> dict[str, Any]:
    return {
        "place": face.place,
        "group": face.group,
        "time": round(face.time, 4),
        "vector": _packed(face.vector, "<f4"),
        "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
        "quality": {name: round(value, 4) for name, value in asdict(face.quality).items()},
        "digest": face.digest,
        "crop": face.crop,
        "places": _packed(face.stands.places, "<i4"),
        "similarities": _packed(face.stands.similarities, "<f4"),
        "state": face.state,
        "person_id": face.person_id,
        "face_id": face.face_id,
    }


def _face_from_json(job: str, record: Mapping[str, Any]) -> Unknown:
    place = int(record["place"])
    places = _unpacked(record["places"], "<i4").astype(np.int32)
    similarities = _unpacked(record["similarities"], "<f4").astype(np.float32)
    if len(places) != len(similarities):
        raise ValueError("places and similarities are not as many")
    vector = _unpacked(record["vector"], "<f4").astype(np.float32)
    if not abs(np.linalg.norm(vector) - 1.0) < _OFF:
        raise ValueError("a vector that is not of length 1")
    return Unknown(
        id=unknown_id(job, place),
        place=place,
        group=int(record["group"]),
        time=float(record["time"]),
        vector=vector,
        landmarks=np.array(record["landmarks"], np.float32).reshape(5, 2),
        quality=Quality(**record["quality"]),
        digest=str(record["digest"]),
        crop=bool(record["crop"]),
        stands=Stands(places, similarities),
        state=State(record["state"]) if record["state"] is not None else None,
        person_id=record["person_id"],
        face_id=record["face_id"],
    )


def _packed(numbers: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.asarray(numbers).astype(kind).tobytes()).decode()


def _unpacked(text: str, kind: str) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text, validate=True), kind)
