"""What obstore and the file system raise, in the project's words. None of them repeats a request, which is signed."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from visage.core.errors import NoObjectError, StorageError, VisageError

_IN_THE_WAY = "there is a file where a folder should be; move it away, or choose another key"
_FILES = {
    errno.ENOSPC: "the disk is full; make room and try again",
    errno.EDQUOT: "your quota of the disk is used up; make room and try again",
    errno.EROFS: "the disk is read-only; make it writable, or name another folder",
    errno.EACCES: "access is denied; use an account that may read and write there",
    errno.EPERM: "access is denied; use an account that may read and write there",
    errno.EIO: "the disk cannot be read or written (gone or failing); look after it and try again",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), or ask for less at once",
    errno.ENFILE: "too many files are open on this machine; close other programs, and try again",
    errno.ENAMETOOLONG: "the path is too long for this disk; name a folder with a shorter path",
    errno.ENOENT: "a folder is gone; put it back and try again",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: "there is a folder of that name; a key cannot be both; choose another",
    errno.ENOTEMPTY: "there is a folder of that name; a key cannot be both; choose another",
    errno.ENOLCK: "this disk knows no locks; keep the store on a local one",
    errno.ENOTSUP: "this disk knows no locks; keep the store on a local one",
}
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


@contextmanager
def explained_file(path: object) -> Iterator[None]:
    """Turn what the operating system raises about `path` into `StorageError`."""
    try:
        yield
    except OSError as error:
        reason = _FILES.get(error.errno or 0) or f"{error.strerror or error}; mend that and try again"
        raise StorageError(f"{path}: {reason}") from error


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
