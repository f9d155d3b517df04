"""What obstore raises, in the project's words. None of them repeats a request, which is signed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from visage.core.errors import NoObjectError, StorageError, VisageError
from visage.objects.faults import explained_file

# S3's own names of errors, and HTTP's numbers, as they stand in obstore's messages.
_BUCKETS = {
    "NoSuchBucket": "there is no such bucket; make it, or name another",
    "InvalidBucketName": "that is no name of a bucket; name another",
    "AccessDenied": "access is denied; allow this account or role to use the bucket",
    "InvalidAccessKeyId": "the access key is not known; look at AWS_ACCESS_KEY_ID, or at the instance's role",
    "SignatureDoesNotMatch": "the secret key is wrong; look at AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the credentials have run out; get new ones",
    "SlowDown": "the store asks for fewer requests; try again in a moment",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set AWS_REGION",
    "169.254.169.254": "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a role",
    "URL scheme is not allowed": "the endpoint must begin with https:// or http://; look at AWS_ENDPOINT_URL",
}
_UNREACHABLE = "it cannot be reached, or fails; look at the network and at AWS_REGION, and try again"


@contextmanager
def explained(store: str, key: str = "") -> Iterator[None]:
    """Turn what obstore raises about an object of `store` into `NoObjectError` and `StorageError`."""
    try:
        with explained_file(store):
            try:
                yield
            except FileNotFoundError as error:
                if error.errno is not None:  # of a copy on this machine
                    raise
                raise _absent(store, key, error) from None
    except BaseError as error:
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            raise StorageError(f"{store}: {_words(error) or _BUCKETS['AccessDenied']}") from None
        raise StorageError(f"{store}: {_words(error) or _UNREACHABLE + _status(error)}") from None


def is_beyond(error: BaseError) -> bool:
    """Whether what was asked for begins at the object's end or after it; S3 says so, and obstore's memory."""
    text = str(error)
    return "status code: 416" in text or "StartTooLarge" in text


def _absent(store: str, key: str, error: FileNotFoundError) -> VisageError:
    if "NoSuchBucket" in str(error):
        return StorageError(f"{store}: {_BUCKETS['NoSuchBucket']}")
    return NoObjectError(f"{store}: there is nothing under {key!r}")


def _words(error: BaseError) -> str | None:
    text = str(error)
    return next((words for sign, words in _BUCKETS.items() if sign in text), None)


def _status(error: BaseError) -> str:
    """The answer's HTTP status, if there was one: for whoever looks after the store."""
    found = re.search(r"status code: (\d{3})", str(error))
    return f" (HTTP {found[1]})" if found else ""
