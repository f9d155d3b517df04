"""Faces that matched nobody, kept to be named: grouped by who they seem to be, named, put aside, erased.

Workers store them (`core/unknown/strangers.py`), the web tier looks at them here. Naming enrolls the best of them under
their own ids, then amends every old answer they were seen in, then notes that they are named: whatever breaks off may
be repeated, and does nothing twice.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from visage.core.cards import EmbedderCard
from visage.core.errors import NoFaceError, NoObjectError, UsageError
from visage.core.names import lookup_name
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.unknown.claim import Claims
from visage.core.unknown.kept import FACES, State, Unknown, crop_key, decided, forget_of_job, is_of, keys_in, naming_key
from visage.core.unknown.naming import Namer, Naming, best_of
from visage.core.unknown.pile import Held, Pile
from visage.core.unknown.shelf import AT_ONCE
from visage.core.unknown.somebody import Cluster, clusters_of
from visage.core.unknown.suggest import suggest
from visage.core.values import Match

# How many faces of a cluster are shown to the gallery for a suggestion, and kept of those that are denied to be
# somebody.
SHOWN = 6
DENIED = 3


class Inbox:
    """Used by many threads at once; several processes may share the store. Every method may raise `StorageError`.

    What another process or a worker stored is seen after a second. A method that takes faces' ids raises `NoFaceError`
    where one of them is not in that collection's inbox, before anything is changed.
    """

    def __init__(
        self,
        objects: Objects,
        inputs: Objects,
        outputs: Objects,
        gallery: Callable[[], Gallery],
        card: EmbedderCard,
        *,
        now: Callable[[], float],
        days: float,
        at_once: int = AT_ONCE,
    ) -> None:
        """objects: where the faces are kept. inputs, outputs: of jobs. card: of the embedder in use; faces that another
        one embedded are left out. days: for how many faces are kept. at_once: see `Pile`."""
        self.days = days
        self._objects = objects
        self._inputs = inputs
        self._outputs = outputs
        self._gallery = gallery
        self._card = card
        self._now = now
        self._claims = Claims(objects, now)
        self._seen: dict[str, tuple[list[list[Held]], list[Cluster]]] = {}
        self._pile = Pile(objects, card, now, at_once=at_once)

    @property
    def behind(self) -> bool:
        """Whether some of the faces are still being read or grouped: then what is told of them is not all."""
        return self._pile.behind

    def clusters(self, collection: str, state: State = State.NEW) -> list[Cluster]:
        """Everybody in that state (not NAMED), who has most faces first; of equals the latest."""
        groups = self._pile.groups(collection)
        if not groups:
            return []
        known, clusters = self._seen.get(collection, (None, []))
        if known is not groups:
            clusters = [cluster for group in groups for cluster in clusters_of(group)]
            clusters.sort(key=lambda cluster: (-len(cluster.faces), -cluster.last, cluster.id))
            self._seen[collection] = groups, clusters
        return [cluster for cluster in clusters if cluster.state is state]

    def cluster(self, collection: str, face_id: str) -> Cluster:
        """The cluster that this face is in, whatever its state; its id is that of any of its faces. Raises
        `NoFaceError`."""
        for cluster in clusters_of(self._pile.group(collection, face_id)):
            if any(face.id == face_id for face in cluster.faces):
                return cluster
        raise NoFaceError(f"there is no unknown face {face_id!r}, or not any more")

    def suggestions(self, clusters: Sequence[Cluster]) -> list[Match | None]:
        """For each cluster, all of one collection, whom of the enrolled it may be: see `suggest`."""
        shown = [[self._pile.face(one.collection, face.id) for face in one.faces[:SHOWN]] for one in clusters]
        vectors = [[held.face.vector for held in faces] for faces in shown]
        return suggest(self._gallery(), self._card, clusters[0].collection, vectors) if clusters else []

    def collection_of(self, face_id: str) -> str:
        """Raises `NoFaceError`."""
        return self._pile.face(None, face_id).haul.collection

    def crop(self, face_id: str) -> bytes:
        """A JPEG of the face with a margin. Raises `NoFaceError`, also where no crop is kept."""
        held = self._pile.face(None, face_id)
        try:
            return self._objects.get(crop_key(held.haul.job, held.face.place))
        except NoObjectError:
            raise NoFaceError(f"no picture is kept of the unknown face {face_id!r}") from None

    def ignore(self, collection: str, face_ids: Collection[str]) -> int:
        """Put them aside; how many were not yet. New faces of the same people are put aside with them."""
        return self._decide(collection, face_ids, State.IGNORED)

    def not_a_face(self, collection: str, face_ids: Collection[str]) -> int:
        """The same of what the detector took for a face."""
        return self._decide(collection, face_ids, State.NOT_A_FACE)

    def restore(self, collection: str, face_ids: Collection[str]) -> int:
        """Undo `ignore` and `not_a_face`; how many faces were decided on otherwise."""
        return self._decide(collection, face_ids, State.NEW)

    def states(self, collection: str, face_ids: Collection[str]) -> set[State]:
        """What was decided on each of them, as it is in the store right now."""
        self._pile.reread(face_ids)
        return {held.face.state or State.NEW for held in self._held(collection, face_ids)}

    def deny(self, collection: str, face_ids: Collection[str], person_id: str) -> list[str]:
        """They are not that person: the best of them are kept as that person's negative examples, under ids that are
        returned (`Gallery.undeny` takes them back). Raises `NoPersonError`, and `UsageError` where another model
        measured one of them."""
        namer = self._namer()
        chosen = best_of(self._measured(collection, face_ids), DENIED)
        for held in chosen:
            namer.gallery.deny(collection, person_id, namer.enrolled_face(held))
        return [held.face.id for held in chosen]

    def name(self, collection: str, face_ids: Collection[str], name: str) -> Naming:
        """They are `name`: see above. Repeated, it does what is left of it. Raises `UsageError` for what is no name,
        where one of them is named as somebody else already, and where another model measured one; `GalleryError`."""
        with self._claims.alone(naming_key(lookup_name(collection))) as sign:
            self._pile.reread(face_ids)  # somebody else may just have named them
            return self._namer(sign).name(collection, self._measured(collection, face_ids), name)

    def unname(self, collection: str, face_ids: Collection[str]) -> int:
        """Undo `name`: the answers are as they were before, those of the faces that were enrolled leave the gallery (a
        person whose last they were goes), all are new again. How many answers were changed. Raises `UsageError` where
        one is not named, or its person has been changed since so that it is somebody else's."""
        with self._claims.alone(naming_key(lookup_name(collection))) as sign:
            self._pile.reread(face_ids)
            return self._namer(sign).unname(collection, self._held(collection, face_ids))

    def places(self, collection: str, face_ids: Collection[str]) -> dict[str, list[int]]:
        """By job, the places in its answer's `faces` that these faces stand for."""
        ids = set(face_ids)
        hauls = [self._pile.read(job) for job in self._jobs(self._held(collection, ids))]
        return {
            haul.job: [place for face in haul.faces if face.id in ids for place in face.stands.places.tolist()]
            for haul in hauls
            if haul
        }

    def known(self, collection: str, face_ids: Collection[str]) -> list[str]:
        """Those of them that are still kept."""
        return [one for one in face_ids if self._is_kept(collection, one)]

    def told(self, job: str, places: Collection[int], person_id: str | None, face_id: str | None) -> int:
        """Somebody said in a job's answer who the faces in these places are: those that are kept of them are named by
        it, and need not be looked at here; None: that was taken back. How many faces. face_id: their enrolled face."""
        there = set(places)

        def change(face: Unknown) -> Unknown:
            if there.isdisjoint(face.stands.places.tolist()):
                return face
            if person_id is None:
                return decided(face, State.NEW) if face.state is State.NAMED else face
            return replace(face, state=State.NAMED, person_id=person_id, face_id=face_id)

        return self._pile.change(job, change)

    def erase(self, collection: str, face_ids: Collection[str]) -> int:
        """Vectors and crops go for good; how many faces. Answers, which never named them, stay as they are."""
        return self._erase(self._held(collection, face_ids))

    def forget_job(self, job: str) -> int:
        """Erase all faces that came in this job; how many."""
        haul = self._pile.read(job)
        forget_of_job(self._objects, job)
        self._pile.drop(job)
        return len(haul.faces) if haul else 0

    def forget_person(self, collection: str, person_id: str | None, face_ids: Collection[str]) -> int:
        """Erase all faces named as this person, and those that go by one of these enrolled faces; how many."""
        gone = set(face_ids)
        return self._erase(
            [
                held
                for held in self._pile.all()
                if held.haul.collection == lookup_name(collection) and is_of(held.face, person_id, gone)
            ]
        )

    def sweep(self, before: float) -> int:
        """Erase the faces of jobs that were handed in before that time, seconds since 1970; how many."""
        count = sum(self.forget_job(job) for job in self._pile.jobs(before))
        # Also crops that a worker stored and whose faces it did not come to store.
        self._objects.delete([key for key in keys_in(self._objects, before) if not key.startswith(FACES)])
        return count

    def _decide(self, collection: str, face_ids: Collection[str], state: State) -> int:
        """Named ones stay named."""
        ids = set(face_ids)

        def change(face: Unknown) -> Unknown:
            if face.id not in ids or face.state in {state, State.NAMED}:
                return face
            return decided(face, state)

        return sum(self._pile.change(job, change) for job in self._jobs(self._held(collection, ids)))

    def _erase(self, faces: Sequence[Held]) -> int:
        ids = {held.face.id for held in faces}
        self._objects.delete([crop_key(held.haul.job, held.face.place) for held in faces])
        return sum(
            self._pile.change(job, lambda face: None if face.id in ids else face) for job in self._jobs(faces)
        )  # fmt: skip

    def _held(self, collection: str, face_ids: Collection[str]) -> list[Held]:
        if not face_ids:
            raise NoFaceError("no face is named; name at least one by its id")
        return [self._pile.face(collection, one) for one in dict.fromkeys(face_ids)]

    def _is_kept(self, collection: str, face_id: str) -> bool:
        try:
            return bool(self._pile.face(collection, face_id))
        except NoFaceError:
            return False

    def _measured(self, collection: str, face_ids: Collection[str]) -> list[Held]:
        """Those that may be enrolled: in an empty collection one that another model measured would shut out all that
        the one in use measures."""
        faces = self._held(collection, face_ids)
        if any(held.haul.model != self._card.name for held in faces):
            raise UsageError("some of these faces were measured with another model than the one in use; nobody can be "
                             "known by them")  # fmt: skip
        return faces

    def _jobs(self, faces: Sequence[Held]) -> list[str]:
        return list(dict.fromkeys(held.haul.job for held in faces))

    def _namer(self, sign: Callable[[], None] = lambda: None) -> Namer:
        return Namer(
            self._pile, self._objects, self._inputs, self._outputs, self._gallery(), self._card, self._now, sign
        )  # fmt: skip
