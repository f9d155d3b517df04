"""Identification, simulated: N people are enrolled, strangers and known people come by; who is given a name?

Those of the test list who have two pictures or more are enrolled by their first, and their other pictures are the
known probes; where N asks for more people than that, the rest are people of the training list, who are never probed.
The other people of the test list are the strangers. The threshold is the one that the rule for "unknown" takes from the
embedder's calibration. Where fewer are enrolled than there are to choose from, the choice is drawn several times.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from visage.core.calibration import Calibration
from visage.core.values import Floats

SIZES = (10, 100, 1000)
DRAWS = 20


@dataclass(frozen=True)
class Album:
    """Pictures with who is on them. vectors: (n, d) unit, a row of NaN where no face was found; labels: (n,)."""

    vectors: Floats
    labels: NDArray[np.str_]

    @property
    def found(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.vectors).all(axis=1), dtype=np.bool_)


@dataclass(frozen=True)
class Identification:
    """What came of it, over all draws.

    people: N, one picture each. threshold, limited: see `Calibration.threshold_for`. recognized: share of the known
    probes given their own name; misnamed: given another's; named: share of the strangers given any name. known,
    strangers: how many probes of either kind there were. A probe in which no face was found is given no name.
    """

    people: int
    threshold: float
    limited: bool
    recognized: float
    misnamed: float
    named: float
    known: int
    strangers: int

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def identify(
    test: Album,
    training: Album,
    calibration: Calibration,
    sizes: Sequence[int] = SIZES,
    stranger_rate: float = 0.01,
) -> list[Identification]:
    """One result per size; a size beyond the people there are is left out. Always the same for the same pictures."""
    pool = _people(test, 2)
    fillers = [rows[0] for rows in _people(training, 1)]
    return [
        _simulate(test, training.vectors[fillers], pool, calibration, size, stranger_rate)
        for size in sizes
        if size <= len(pool) + len(fillers)
    ]


def _simulate(
    test: Album,
    fillers: Floats,
    pool: list[NDArray[np.intp]],
    calibration: Calibration,
    size: int,
    stranger_rate: float,
) -> Identification:
    threshold, limited = calibration.threshold_for(stranger_rate, size)
    random = np.random.default_rng(0)
    counts = np.zeros(5, dtype=np.int64)
    for _ in range(DRAWS):
        chosen = [pool[index] for index in random.permutation(len(pool))[:size]]
        more = random.permutation(len(fillers))[: size - len(chosen)]
        enrolled = np.concatenate([test.vectors[[rows[0] for rows in chosen]], fillers[more]])
        names = np.array([test.labels[rows[0]] for rows in chosen])
        known = np.concatenate([rows[1:] for rows in chosen])
        strangers = np.flatnonzero(~np.isin(test.labels, names))
        nearest, accepted = _search(test.vectors[known], enrolled, threshold)
        # Fillers come after the chosen; a probe nearest to one of them is misnamed whatever the filler's name.
        right = (nearest < len(names)) & (names[np.minimum(nearest, len(names) - 1)] == test.labels[known])
        _, named = _search(test.vectors[strangers], enrolled, threshold)
        counts += [(right & accepted).sum(), (~right & accepted).sum(), len(known), named.sum(), len(strangers)]
    recognized, misnamed, probes, named_strangers, others = counts.tolist()
    return Identification(
        people=size,
        threshold=threshold,
        limited=limited,
        recognized=recognized / probes,
        misnamed=misnamed / probes,
        named=named_strangers / max(1, others),
        known=probes,
        strangers=others,
    )


def _search(probes: Floats, enrolled: Floats, threshold: float) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each probe the nearest enrolled and whether it is near enough; a probe of NaN is near to nobody."""
    similarities = np.nan_to_num(probes @ enrolled.T, nan=-2.0)
    nearest = np.argmax(similarities, axis=1)
    return nearest, similarities[np.arange(len(probes)), nearest] >= threshold


def _people(album: Album, pictures: int) -> list[NDArray[np.intp]]:
    """The rows of each person of so many pictures or more, one with a face first: it will be enrolled."""
    people = []
    for name in np.unique(album.labels):
        rows = np.flatnonzero(album.labels == name)
        rows = rows[np.argsort(~album.found[rows], kind="stable")]
        if len(rows) >= pictures and album.found[rows[0]]:
            people.append(rows)
    return people
