"""Sightings over time -> the people of a source, when they are seen, and their best face."""

from collections.abc import Iterable, Sequence

from visage.core.values import UNKNOWN, Appearance, Media, Sampling, Sighting

# A person out of sight for longer than this (seconds) starts a new interval.
LARGEST_GAP = 2.0


def appearances(sightings: Sequence[Sighting], step: float = 0.0) -> tuple[Appearance, ...]:
    """One appearance per person, most seen first; everybody unnamed together, last.

    step: seconds between the frames that were looked at; a gap is never smaller than twice that.
    """
    by_person: dict[str | None, list[Sighting]] = {}
    for sighting in sightings:
        by_person.setdefault(sighting.match.person_id if sighting.match else None, []).append(sighting)
    found = [
        Appearance(
            person_id=person_id,
            name=seen[0].name if person_id is not None else UNKNOWN,
            sightings=len(seen),
            intervals=join((sighting.time for sighting in seen), max(LARGEST_GAP, 2 * step)),
            best=max(seen, key=_worth),
        )
        for person_id, seen in by_person.items()
    ]
    return tuple(sorted(found, key=lambda a: (a.person_id is None, -a.sightings, a.name)))


def step_of(sampling: Sampling, media: Media, frames: int) -> float:
    """Seconds between the frames that were looked at, of which there were `frames`: on average, where the sampling does
    not say; 0 for a photo."""
    if sampling.seconds is not None:
        return sampling.seconds
    if sampling.count is not None or sampling.keys:
        return (media.duration or 0.0) / max(1, frames)
    return (sampling.frames or 1) / media.fps if media.fps else 0.0


def join(times: Iterable[float], gap: float) -> tuple[tuple[float, float], ...]:
    """Times -> intervals that no gap of more than `gap` seconds interrupts."""
    intervals: list[tuple[float, float]] = []
    for time in sorted(times):
        if intervals and time - intervals[-1][1] <= gap:
            intervals[-1] = (intervals[-1][0], time)
        else:
            intervals.append((time, time))
    return tuple(intervals)


def _worth(sighting: Sighting) -> tuple[float, float]:
    """A good picture of the face first, and among equals the surest match."""
    similarity = sighting.match.similarity if sighting.match else 0.0
    return (round(sighting.quality.score, 2), similarity)
