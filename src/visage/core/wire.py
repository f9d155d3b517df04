"""Answers as plain JSON values: the one spelling that every door speaks."""

from typing import Any

from visage.core.answers import Answer, Comparison, Enrollment
from visage.core.match import Rule
from visage.core.values import Appearance, EnrolledFace, Face, Match, Media, Person, Quality, Sighting


def answer_to_json(answer: Answer, *, vectors: bool = False) -> dict[str, Any]:
    """vectors: with every face's embedding."""
    media = answer.media[0]
    data: dict[str, Any] = {
        "kind": answer.kind.value,
        "source": answer.source,
        "media": [media_to_json(one) for one in answer.media],
        "models": {
            "detector": answer.models.detector,
            "embedder": answer.models.embedder,
            "runtime": answer.models.runtime,
        },
        "frames": answer.frames,
        "rotation": answer.rotation,
        "timings": {stage: round(seconds, 6) for stage, seconds in answer.timings.items()},
    }
    if answer.comparison:
        data["comparison"] = comparison_to_json(answer.comparison, answer.media)
    elif answer.enrollment:
        data["enrollment"] = enrollment_to_json(answer.enrollment)
    else:
        data["faces"] = [sighting_to_json(seen, media, named=answer.rule is not None, vectors=vectors)
                         for seen in answer.sightings]  # fmt: skip
    if answer.rule:
        data["names"] = answer.names
        data["people"] = [appearance_to_json(person, media) for person in answer.people]
        data["rule"] = rule_to_json(answer.rule)
    return data


def media_to_json(media: Media) -> dict[str, Any]:
    return {
        "source": media.source,
        "width": media.width,
        "height": media.height,
        "duration": media.duration,
        "fps": media.fps,
        "problem": media.problem,
    }


def face_to_json(face: Face, media: Media) -> dict[str, Any]:
    x1, y1, x2, y2 = face.box
    return {
        "box": [round(value, 2) for value in face.box],
        "box_ratio": [
            round(x1 / media.width, 5),
            round(y1 / media.height, 5),
            round(x2 / media.width, 5),
            round(y2 / media.height, 5),
        ],
        "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
        "score": round(face.score, 4),
    }


def quality_to_json(quality: Quality) -> dict[str, float]:
    return {
        "size": round(quality.size, 1),
        "sharpness": round(quality.sharpness, 3),
        "yaw": round(quality.yaw, 1),
        "pitch": round(quality.pitch, 1),
        "roll": round(quality.roll, 1),
        "score": round(quality.score, 3),
    }


def match_to_json(match: Match | None) -> dict[str, Any] | None:
    if match is None:
        return None
    return {
        "person_id": match.person_id,
        "name": match.name,
        "face_id": match.face_id,
        "similarity": round(match.similarity, 4),
        "probability": round(match.probability, 4),
    }


def sighting_to_json(seen: Sighting, media: Media, *, named: bool, vectors: bool) -> dict[str, Any]:
    data = {
        "frame": seen.frame,
        "time": round(seen.time, 4),
        **face_to_json(seen.face, media),
        "quality": quality_to_json(seen.quality),
    }
    if named:
        data |= {
            "name": seen.name,
            "match": match_to_json(seen.match),
            "nearest": match_to_json(seen.nearest),
            "runner_up": match_to_json(seen.runner_up),
        }
    if vectors and seen.vector is not None:
        data["vector"] = [round(float(value), 6) for value in seen.vector]
    return data


def appearance_to_json(person: Appearance, media: Media) -> dict[str, Any]:
    return {
        "person_id": person.person_id,
        "name": person.name,
        "sightings": person.sightings,
        "intervals": [[round(start, 3), round(end, 3)] for start, end in person.intervals],
        "best": sighting_to_json(person.best, media, named=True, vectors=False),
    }


def rule_to_json(rule: Rule) -> dict[str, Any]:
    return {
        "threshold": round(rule.threshold, 4),
        "basis": rule.basis,
        "limited": rule.limited,
        "stranger_rate": rule.stranger_rate,
        "enrolled": rule.enrolled,
        "gallery": rule.gallery,
    }


def comparison_to_json(comparison: Comparison, media: tuple[Media, ...]) -> dict[str, Any]:
    return {
        "same": comparison.same,
        "similarity": round(comparison.similarity, 4),
        "probability": round(comparison.probability, 4),
        "threshold": round(comparison.threshold, 4),
        "faces": [face_to_json(comparison.first, media[0]), face_to_json(comparison.second, media[1])],
    }


def enrollment_to_json(enrollment: Enrollment) -> dict[str, Any]:
    return {
        "outcome": enrollment.outcome.value,
        "detail": enrollment.detail,
        "person": person_to_json(enrollment.person) if enrollment.person else None,
        "face_id": enrollment.face_id,
        "resembles": (
            {"name": enrollment.resembles[0], "similarity": round(enrollment.resembles[1], 4)}
            if enrollment.resembles
            else None
        ),
    }


def person_to_json(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "collection": person.collection,
        "faces": person.faces,
        "created": person.created,
        "hidden": person.hidden,
    }


def enrolled_face_to_json(face: EnrolledFace) -> dict[str, Any]:
    """What is kept of one enrolled face, less the vector and the crop themselves."""
    return {
        "id": face.id,
        "model": face.model,
        "source": face.source,
        "crop": face.crop is not None,
        "quality": quality_to_json(face.quality),
        "created": face.created,
    }
