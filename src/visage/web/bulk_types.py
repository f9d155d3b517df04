"""What /v1/bulk takes and gives."""

from typing import Annotated

from flask_openapi3.models.file import FileStorage
from pydantic import Field

from visage.web.answers import Shape
from visage.web.parameters import EnrollChoices, Parameters


class BulkChoices(EnrollChoices):
    """How every photo is treated."""


class BulkForm(BulkChoices):
    """Options may stand here or in the query; here they go first."""

    archive: Annotated[FileStorage, Field(description="The ZIP.")]


class BulkJson(BulkChoices):
    """Options may stand here or in the query; here they go first."""

    folder: Annotated[
        str,
        Field(
            max_length=1000,
            description="A folder of the server below the one that its VISAGE_BULK_FOLDER names; empty: that one.",
        ),
    ]


class BulkPlace(Parameters):
    folder: Annotated[
        str | None, Field(max_length=1000, description="One to be looked for; empty: the one below which all lie.")
    ] = None


class BulkPlaces(Shape):
    """folders: those of the server that may be named, the first level of them; None where none may be. max_upload: the
    largest ZIP, bytes."""

    folders: list[str] | None
    max_upload: int
