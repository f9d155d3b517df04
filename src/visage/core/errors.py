"""Every error Visage raises on purpose. Each message is for the user: what is wrong, with which file, what to do.

    VisageError
    ├── UsageError             the caller's words make no sense: an option, a name, a URL
    ├── InputError             a photo or video from outside cannot be used; it names the source
    │   ├── NotFoundError      there is no such file
    │   ├── UnreadableError    no picture or video, corrupt, cut off
    │   └── TooLargeError      over a limit of bytes, pixels or seconds
    ├── ModelError             a network's file is missing, wrong or cannot run here
    │   └── FetchError         a download failed or came out with another hash
    ├── GalleryError           the people and faces that are enrolled
    │   ├── NoGalleryError     there is none yet
    │   ├── NoPersonError      nobody of that name or id
    │   ├── NoFaceError        no enrolled face of that id
    │   ├── OtherModelError    its vectors were made by another embedder
    │   └── PublishedError     it is a published copy, which is only read
    ├── StorageError           the disk is full, read-only or gone; a bucket or a queue that cannot be reached
    └── ServiceError           something about the service around the engine
        ├── NoObjectError      there is nothing under this key
        ├── FleetError         instances cannot be counted, started or ended
        ├── MessageError       a message in the queue that is none of ours
        ├── DeadlyError        a job that ended its worker whenever it was performed
        ├── FaultError         a fault of Visage itself, which the log has in full
        └── AccessError        who asks may not do that
            └── NoKeyError     no API key, or one that is wrong or was revoked

Doors translate them: the command line into exit codes, the web into statuses.
"""


class VisageError(Exception):
    """The root; whoever catches it catches all that Visage raises on purpose, and no bug."""


class UsageError(VisageError):
    """An option, name or URL that makes no sense."""


class InputError(VisageError):
    """Something given from outside cannot be used; `source` names it as the caller did."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class NotFoundError(InputError):
    """There is no such file."""


class UnreadableError(InputError):
    """Neither a picture nor a video, or a damaged one."""


class TooLargeError(InputError):
    """Over a limit of bytes, pixels or seconds."""


class ModelError(VisageError):
    """A network's file is missing, is not what its card says, or cannot run here."""


class FetchError(ModelError):
    """A model file could not be downloaded whole and with the right hash."""


class GalleryError(VisageError):
    """Something about the enrolled people."""


class NoGalleryError(GalleryError):
    """Nobody has been enrolled at this address yet."""


class NoPersonError(GalleryError):
    """Nobody of that name or id is enrolled."""


class NoFaceError(GalleryError):
    """There is no enrolled face of that id."""


class PublishedError(GalleryError):
    """The gallery is a published copy, which is only read; the one that it was made from is to be changed."""


class OtherModelError(GalleryError):
    """The gallery's vectors were made by another embedder and cannot be compared with this one's."""


class StorageError(VisageError):
    """The place where data is kept is full, read-only or gone."""


class ServiceError(VisageError):
    """Something about the service around the engine."""


class NoObjectError(ServiceError):
    """There is nothing under this key."""


class FleetError(ServiceError):
    """Instances cannot be counted, started or ended."""


class MessageError(ServiceError):
    """A message in the queue that is none of ours."""


class DeadlyError(ServiceError):
    """A job that ended its worker whenever it was performed."""


class FaultError(ServiceError):
    """A fault of Visage itself, which the log has in full."""


class AccessError(ServiceError):
    """Who asks may not do that."""


class NoKeyError(AccessError):
    """No API key, or one that is wrong or was revoked."""
