"""What a message in a queue may be."""

from visage.core.errors import UsageError

MAX_BODY = 1_048_576  # bytes, as in Amazon SQS


def check_body(body: str) -> None:
    """Raises `UsageError` for what no queue takes."""
    try:
        size = len(body.encode())
    except UnicodeEncodeError as error:
        raise UsageError("a message must be text that can be written as UTF-8") from error
    if size > MAX_BODY:
        raise UsageError(f"a message of {size} bytes; a queue takes {MAX_BODY} at most, so send a key, not the data")
    if not size:
        raise UsageError("a message must not be empty")
