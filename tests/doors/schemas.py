"""What each command's --json promises. Additional fields are refused, so that every one is named here."""

from typing import Any

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
RATIO: Schema = {"type": "number", "minimum": 0, "maximum": 1}
SIMILARITY: Schema = {"type": "number", "minimum": -1.0001, "maximum": 1.0001}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def many(items: Schema, least: int = 0, most: int | None = None) -> Schema:
    return {"type": "array", "items": items, "minItems": least} | ({} if most is None else {"maxItems": most})


def record(optional: dict[str, Schema] | None = None, **fields: Schema) -> Schema:
    return {
        "type": "object",
        "properties": fields | (optional or {}),
        "required": list(fields),
        "additionalProperties": False,
    }


BOX = many(NUMBER, 4, 4)
QUALITY = record(size=NUMBER, sharpness=RATIO, yaw=NUMBER, pitch=NUMBER, roll=NUMBER, score=RATIO)
MATCH = record(person_id=TEXT, name=TEXT, face_id=TEXT, similarity=SIMILARITY, probability=RATIO)
FACE = {"box": BOX, "box_ratio": BOX, "landmarks": many(many(NUMBER, 2, 2), 5, 5), "score": RATIO}
DETECTION = record(frame=COUNT, time=NUMBER, **FACE, quality=QUALITY)
SIGHTING = record(
    {"vector": many(NUMBER, 64)},
    frame=COUNT, time=NUMBER, **FACE, quality=QUALITY,
    name=TEXT, match=maybe(MATCH), nearest=maybe(MATCH), runner_up=maybe(MATCH),
)  # fmt: skip
APPEARANCE = record(
    person_id=maybe(TEXT), name=TEXT, sightings=COUNT, intervals=many(many(NUMBER, 2, 2), 1), best=SIGHTING
)
MEDIA = record(source=TEXT, width=COUNT, height=COUNT, duration=maybe(NUMBER), fps=maybe(NUMBER), problem=maybe(TEXT))
RULE = record(threshold=NUMBER, basis=TEXT, limited=FLAG, stranger_rate=NUMBER, enrolled=COUNT, gallery=TEXT)
COMMON = {
    "source": TEXT,
    "models": record(detector=TEXT, embedder=maybe(TEXT), runtime=TEXT),
    "frames": COUNT,
    "rotation": {"enum": [0, 90, 180, 270]},
    "timings": {"type": "object", "additionalProperties": NUMBER, "required": ["total"]},
}
ONE_MEDIA, TWO_MEDIA = many(MEDIA, 1, 1), many(MEDIA, 2, 2)
RECOGNITION = record(
    kind={"const": "recognize"}, media=ONE_MEDIA, **COMMON,
    faces=many(SIGHTING), names=many(TEXT), people=many(APPEARANCE), rule=RULE,
)  # fmt: skip
DETECTIONS = record(kind={"const": "detect"}, media=ONE_MEDIA, **COMMON, faces=many(DETECTION))
COMPARISON = record(
    kind={"const": "compare"}, media=TWO_MEDIA, **COMMON,
    comparison=record(
        same=FLAG, similarity=SIMILARITY, probability=RATIO, threshold=NUMBER, faces=many(record(**FACE), 2, 2)
    ),
)  # fmt: skip
PERSON = record(id=TEXT, name=TEXT, collection=TEXT, faces=COUNT, created=NUMBER, hidden=FLAG)
ENROLLMENT = record(
    kind={"const": "enroll"}, media=ONE_MEDIA, **COMMON,
    enrollment=record(
        outcome={
            "enum": [
                "enrolled", "no face", "several faces", "too small", "too blurred", "extreme pose", "duplicate"
            ]
        },
        detail=TEXT, person=maybe(PERSON), face_id=maybe(TEXT),
        resembles=maybe(record(name=TEXT, similarity=SIMILARITY)),
    ),
)  # fmt: skip
ERROR = record(source=TEXT, error=TEXT, detail=TEXT)
CALIBRATION = record(
    data=TEXT, comparisons=COUNT, same_comparisons=COUNT,
    false_match=many(many(NUMBER, 2, 2), 2), true_match=many(many(NUMBER, 2, 2), 2),
    evidence=many(many(NUMBER, 2, 2), 2),
)  # fmt: skip
FILE = record(name=TEXT, sha256=maybe(TEXT), package=maybe(TEXT), path=maybe(TEXT), urls=many(TEXT), bytes=maybe(COUNT))
CARD = {
    "installed": FLAG, "in_use": FLAG, "name": TEXT, "architecture": TEXT, "title": TEXT, "source": TEXT,
    "license": TEXT, "files": many(FILE, 1), "accuracy": {"type": "object", "additionalProperties": TEXT},
    "notes": TEXT,
}  # fmt: skip
MODEL: Schema = {
    "anyOf": [
        record(
            **CARD, kind={"const": "detector"}, thresholds=many(RATIO, 1), overlap=RATIO, min_face=NUMBER, sure=RATIO,
            calibration={"type": "null"},
        ),
        record(
            **CARD, kind={"const": "embedder"}, size=many(COUNT, 2, 2), dimension=COUNT,
            template=many(many(NUMBER, 2, 2), 5, 5), bgr=FLAG, mean=NUMBER, scale=NUMBER, threshold=NUMBER,
            calibration=maybe(CALIBRATION), fingerprint=many(NUMBER),
        ),
    ]
}  # fmt: skip


LETTER = {
    "id": TEXT, "reason": TEXT, "count": COUNT, "died": NUMBER,
    "job": maybe(
        record(
            id=TEXT, kind={"enum": ["recognize", "detect", "compare", "enroll"]}, collection=TEXT, files=COUNT,
            request=TEXT, owner=TEXT, created=NUMBER,
        )
    ),
}  # fmt: skip
ACCOUNT = {"id": TEXT, "name": TEXT, "role": {"enum": ["read", "recognize", "enroll", "admin"]}}


AMOUNTS: Schema = {"type": "object", "additionalProperties": NUMBER}
QUOTE = record(
    form={"enum": ["frames", "segments", "scalable"]}, frames=COUNT, chunks=COUNT, stored=COUNT,
    took=AMOUNTS, seconds=AMOUNTS, dollars=AMOUNTS | {"required": ["seconds", "requests", "storage", "logs", "total"]},
)  # fmt: skip
QUOTED = record(
    source=TEXT, width=COUNT, height=COUNT, duration=NUMBER, frames=COUNT, key_frames=maybe(COUNT), codec=TEXT,
    bytes=COUNT, quotes=many(QUOTE, 3, 3),
)  # fmt: skip


def answers(answer: Schema) -> Schema:
    return record(answers=many(answer), errors=many(ERROR))


SCHEMAS: dict[str, Schema] = {
    "quote": record(
        prices=record(date=TEXT, region=TEXT, currency={"const": "USD"}), speeds=record(date=TEXT, machine=TEXT),
        files=many(QUOTED), errors=many(ERROR),
    ),
    "recognize": answers(RECOGNITION),
    "detect": answers(DETECTIONS),
    "compare": COMPARISON,
    "enroll": answers(ENROLLMENT),
    "people list": record(
        collection=TEXT, model=maybe(TEXT), people=many(PERSON), expected_recognized=maybe(RATIO), advice=many(TEXT)
    ),
    "people show": record(
        **PERSON["properties"],
        enrolled=many(
            record(id=TEXT, model=TEXT, source=TEXT, crop=FLAG, quality=QUALITY, created=NUMBER)
        ),
    ),
    "people rename": PERSON,
    "people hide": PERSON,
    "people unhide": PERSON,
    "people remove": record(
        removed=PERSON, faces=COUNT, crops=COUNT, jobs=COUNT, uploads=COUNT, results=COUNT
    ),
    "people export": record(people=COUNT, faces=COUNT, skipped=COUNT),
    "people import": record(people=COUNT, faces=COUNT, skipped=COUNT),
    "people migrate": record(collection=TEXT, model=TEXT, faces=COUNT),
    "evaluate": record(
        method=TEXT, pairs=COUNT, undetected=COUNT, accuracy=RATIO, low=RATIO, high=RATIO, threshold=NUMBER,
        equal_error=RATIO, standard_error=maybe(NUMBER), folds=many(RATIO), pictures=COUNT, without_face=many(TEXT),
        true_accept=many(record(wanted=RATIO, rate=RATIO, reached=RATIO, enough=FLAG)), plot=maybe(TEXT),
        models=record(detector=TEXT, embedder=TEXT, runtime=TEXT),
    ),
    "models list": many(MODEL, 4),
    "models show": MODEL,
    "models fetch": record(name=TEXT, files=many(TEXT, 1)),
    "models use": record({"embedder": TEXT, "detector": TEXT}),
    "models add": MODEL,
    "keys create": record(**ACCOUNT, key=TEXT),
    "keys list": record(keys=many(record(**ACCOUNT, created=NUMBER, revoked=maybe(NUMBER)))),
    "keys revoke": record(revoked=record(**ACCOUNT)),
    "queue show": record(waiting=COUNT, in_flight=COUNT, oldest=maybe(NUMBER), dead=COUNT),
    "queue dead list": record(dead=many(record(**LETTER))),
    "queue dead show": record(**LETTER, tries=many(NUMBER), message=maybe(TEXT)),
    "queue dead replay": record(replayed=COUNT),
    "doctor": record(
        {"people": COUNT, "faces": COUNT, "advice": many(TEXT), "detector": TEXT, "embedder": TEXT, "runtime": TEXT,
         "cpu": TEXT, "self_test": TEXT},
        visage=TEXT, python=TEXT, platform=TEXT, threads=COUNT, home=TEXT, gallery=TEXT, cache=TEXT,
        packages={"type": "object", "additionalProperties": maybe(TEXT)},
        models={"type": "object", "additionalProperties": FLAG}, problems=many(TEXT),
    ),
}  # fmt: skip
