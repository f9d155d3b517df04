"""Bodies beside a form and a bare file: JSON with files as base64; and options that stand in either."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, TypeVar

from flask import Request
from pydantic import ValidationError

from visage.web import document
from visage.web.parameters import Base64Upload, Parameters, refused
from visage.web.problems import Problem, usage
from visage.web.uploads import JSON, Source, check_json, file_name, filled

P = TypeVar("P", bound=Parameters)


def json_body(request: Request, shape: type[P]) -> P | None:
    """The request's body if it is JSON; None where it is something else. Raises `Problem`."""
    if request.mimetype != JSON:
        return None
    check_json(request)
    try:
        return shape.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        if any(one["type"] == "json_invalid" for one in error.errors(include_input=False)):
            raise Problem(400, "the body is no JSON") from None
        raise refused(error) from None


def from_base64(name: str, data: str) -> Source:
    """A file out of JSON; lines may be broken. Raises `Problem`."""
    try:
        return name, base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise usage(f"{name}: that is no base64 (letters, digits, + and /, padded with =)") from None


def one_from_base64(body: Base64Upload) -> list[Source]:
    """The one file in `image`, `video` or `file`. Raises `Problem`."""
    given = [(field, data) for field in ("image", "video", "file") if (data := getattr(body, field)) is not None]
    if len(given) != 1:
        raise usage(f"send exactly one file, in 'image', 'video' or 'file'; there were {len(given)}")
    [(field, data)] = given
    return [filled(from_base64(file_name(body.name or field), data))]


def two_from_base64(first: str, second: str) -> list[Source]:
    """Raises `Problem`."""
    return [filled(from_base64("first", first)), filled(from_base64("second", second))]


def with_body(query: P, request: Request, body: Parameters | None) -> P:
    """The options with those that stand in the body, be it JSON or a form; they go first. Raises `Problem`."""
    given: Mapping[str, Any] = body.model_dump(exclude_unset=True) if body else request.form.to_dict()
    if not given:
        return query
    try:
        return type(query).model_validate({**query.model_dump(exclude_unset=True), **given})
    except ValidationError as error:
        raise refused(error) from None


def takes(form: type[Parameters], json: type[Parameters], *, bare: bool) -> dict[str, Any]:
    """What to tell of a route that takes uploads in each of these ways. bare: whether the body may be the file."""
    told = document.body(form, bare=bare)
    schema = dict(json.model_json_schema())
    inner = schema.pop("$defs", {})  # where a type is looked up in the whole document there are none
    told["requestBody"]["content"][JSON] = {"schema": _inlined(schema, inner)}
    return told


def _inlined(schema: Any, inner: Mapping[str, Any]) -> Any:
    """The schema with the types that it refers to in their places."""
    if isinstance(schema, list):
        return [_inlined(one, inner) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if (name := str(schema.get("$ref", "")).removeprefix("#/$defs/")) in inner:
        return _inlined(inner[name], inner)
    return {key: _inlined(value, inner) for key, value in schema.items()}
