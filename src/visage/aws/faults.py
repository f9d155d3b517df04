"""What boto3 raises, in the project's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from visage.core.errors import StorageError, UsageError, VisageError

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AccessDeniedFault"}
_WHO = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "ExpiredToken",
        "ExpiredTokenException", "AuthFailure", "InvalidAccessKeyId"}  # fmt: skip
_BUSY = {"Throttling", "ThrottlingException", "RequestThrottled", "RequestLimitExceeded", "TooManyRequestsException"}
_AWAY = (EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError, ProxyConnectionError)


@contextmanager
def explained(what: str, kind: type[VisageError] = StorageError) -> Iterator[None]:
    """Turn what boto3 raises about `what` into errors of `kind`; a missing region is a `UsageError`."""
    try:
        yield
    except ClientError as error:
        raise kind(f"{what}: {_words(error)}") from error
    except NoRegionError as error:
        raise UsageError(f"{what}: no AWS region is set; set AWS_REGION, as in AWS_REGION=us-east-1") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise kind(f"{what}: no AWS credentials; give the instance a role, or run `aws configure`") from error
    except _AWAY as error:
        raise kind(f"{what}: AWS does not answer; look after the network and try again ({error})") from error
    # An address that is none is a ValueError; something between here and AWS may answer in a language of its own.
    except (BotoCoreError, ResponseParserError, ValueError) as error:
        raise kind(f"{what}: {error}") from error


def code(error: ClientError) -> str:
    """AWS's name of the error, without the prefix that some services give it."""
    return str(error.response.get("Error", {}).get("Code", "")).removeprefix("AWS.SimpleQueueService.")


def _words(error: ClientError) -> str:
    name = code(error)
    said = error.response.get("Error", {}).get("Message") or "no reason given"
    if name in _DENIED:
        return f"access is denied; allow {error.operation_name} to this account's role ({said})"
    if name in _WHO:
        return f"AWS does not know these credentials; renew them ({name}: {said})"
    if name in _BUSY:
        return f"AWS asks to slow down; try again ({name})"
    return f"AWS refused {error.operation_name}: {said} ({name})"
