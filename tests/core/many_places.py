"""The stores, queue and gallery of `many.py`, each of whose calls may go wrong."""

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from tests.web.fakes import MemoryObjects
from visage.core.errors import NoFaceError, NoPersonError
from visage.core.ports.objects import Stored
from visage.core.ports.queue import DeadLetter
from visage.core.values import EnrolledFace, Person


class World(Protocol):
    def call(self) -> AbstractContextManager[None]:
        """Around what one of them does."""


class Store(MemoryObjects):
    """A store each of whose calls may go wrong."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__()
        self._world = world
        self._folder = folder

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        whole = data if isinstance(data, bytes) else data.read()
        with self._world.call():
            super().put(key, whole)

    def create(self, key: str, data: bytes) -> bool:
        with self._world.call():
            return super().create(key, data)

    def read(self, key: str) -> tuple[bytes, str]:
        with self._world.call():
            return super().read(key)

    def version(self, key: str) -> str | None:
        with self._world.call():
            return super().version(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        with self._world.call():
            return super().list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with self._world.call():
                super().delete([key])

    @contextmanager
    def as_file(self, key: str) -> Iterator[str]:
        data = self.get(key)
        path = self._folder / f"{random.getrandbits(64):x}"
        path.write_bytes(data)
        try:
            yield str(path)
        finally:
            path.unlink()


@dataclass
class Message:
    body: str
    count: int = 0


class Line:
    """A queue as SQS is: what is sent under one name twice comes twice."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.messages: list[Message] = []
        self.buried: list[str] = []
        self.most = 0

    def send(self, body: str, *, key: str | None = None) -> None:
        with self._world.call():
            self.messages.append(Message(body))
            self.most = max(self.most, len(self.messages))

    def done(self, receipts: Sequence[str]) -> list[str]:
        with self._world.call():
            self.messages = [one for one in self.messages if str(id(one)) not in receipts]
        return []

    def release(self, receipts: Sequence[str], delay: float = 0.0) -> None: ...

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        return []

    def discard(self, ids: Sequence[str]) -> int:
        return 0

    def bury(self, receipt: str, reason: str) -> bool:
        self.buried.append(reason)
        self.done([receipt])
        return True


class People:
    """As much of a gallery as is asked of one here: whose faces there are, by the ids of the jobs that added them."""

    def __init__(self) -> None:
        self.enrolled: dict[str, str] = {}

    def version(self) -> str:
        return str(len(self.enrolled))

    def person(self, collection: str, name: str) -> Person:
        faces = [face for face, whose in self.enrolled.items() if whose == name]
        if not faces:
            raise NoPersonError(name)
        return Person(f"id of {name}", name, collection, len(faces), 0.0)

    def face(self, collection: str, face_id: str) -> EnrolledFace:
        raise NoFaceError(face_id)

    def faces(self, collection: str, person: str, *, crops: bool = True) -> list[EnrolledFace]:
        return []

    def undeny(self, collection: str, face_ids: Sequence[str]) -> int:
        return 0

    def remove(self, collection: str, person_id: str) -> int:
        name = person_id.removeprefix("id of ")
        gone = [face for face, whose in self.enrolled.items() if whose == name]
        for face in gone:
            del self.enrolled[face]
        return len(gone)

    def remove_faces(self, collection: str, face_ids: Sequence[str]) -> int:
        return sum(self.enrolled.pop(face, None) is not None for face in face_ids)
