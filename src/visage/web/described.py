"""The root of all types that go into the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

_schemas: dict[Any, dict[str, Any]] = {}


class Described(BaseModel):
    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Made once: flask-openapi3 asks for it with every request, and making it takes half a millisecond."""
        key = (cls, args, tuple(kwargs.items()))
        if key not in _schemas:
            _schemas[key] = super().model_json_schema(*args, **kwargs)
        return _schemas[key]
