"""What the tiers of the scalable form need."""

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from visage.core.bulk.plan import Bundles
from visage.core.errors import UsageError
from visage.core.ports.fleet import Fleet, Station
from visage.core.ports.queue import Queue, Replies
from visage.core.service.keyring import Keyring
from visage.settings import Settings
from visage.wiring.stores import extra, open_objects


def open_queue(settings: Settings) -> Queue:
    """The queue at `sqlite:///PATH` or `sqs://NAME`. Raises `UsageError`, `StorageError`."""
    scheme, name = _split(settings.queue_url, "queue", "sqlite:///PATH or sqs://NAME")
    if scheme == "sqlite":
        from visage.sqlite.queue import SqliteQueue

        return SqliteQueue(Path(name).expanduser(), lease=settings.lease_seconds)
    with extra("aws"):
        from visage.aws.sqs import SqsQueue
    return SqsQueue(name, lease=settings.lease_seconds)


def open_queue_if_there(settings: Settings) -> Queue | None:
    """The queue in a file that is there already: none is made, and no other one is asked."""
    scheme, name = _split(settings.queue_url, "queue", "sqlite:///PATH or sqs://NAME")
    if scheme != "sqlite" or not Path(name).expanduser().is_file():
        return None
    return open_queue(settings)


def open_replies(settings: Settings) -> Replies:
    """The reply queues that go with the queue: in the same file, or named after it. Raises as `open_queue` does."""
    scheme, name = _split(settings.queue_url, "queue", "sqlite:///PATH or sqs://NAME")
    if scheme == "sqlite":
        from visage.sqlite.replies import SqliteReplies

        return SqliteReplies(Path(name).expanduser())
    with extra("aws"):
        from visage.aws.sqs_replies import SqsReplies
    return SqsReplies(name.rsplit("/", 1)[-1].removesuffix("-req-queue"), queue=name)


def _split(url: str, noun: str, known: str) -> tuple[str, str]:
    scheme, _, name = url.partition("://")
    if scheme == "sqlite":
        name = name.removeprefix("/")
    if scheme not in {"sqlite", "sqs"} or not name:
        raise UsageError(f"{url!r} is no {noun}; give {known}")
    return scheme, name


def open_station(kind: str, settings: Settings) -> Station:
    """Where a worker works: `alone`, at the `pipe` of a fleet, or on an EC2 `instance` of settings.fleet."""
    from visage.processes.station import LoneStation, PipeStation

    if kind == "instance":
        with extra("aws"):
            from visage.aws.station import InstanceStation
        return InstanceStation(settings.fleet.removeprefix("asg:"))
    return PipeStation.standard() if kind == "pipe" else LoneStation()


def open_fleet(settings: Settings, command: Sequence[str], *, limit: int) -> Fleet:
    """The app tier: `processes:` of this machine, each run by `command` with these settings, `limit` at most; or the
    Auto Scaling group `asg:NAME`. Raises `UsageError`."""
    scheme, _, name = settings.fleet.partition(":")
    if scheme == "processes" and not name.strip("/"):
        from visage.processes.fleet import ProcessFleet

        return ProcessFleet(command, limit=limit, environment=settings.for_children())
    if scheme == "asg" and name:
        with extra("aws"):
            from visage.aws.fleet import GroupFleet
        return GroupFleet(name.strip("/"))
    raise UsageError(f"{settings.fleet!r} is no fleet; give processes: or asg:NAME")


def open_bundles(settings: Settings) -> Bundles:
    """Archives of photos, and folders below settings.bulk_folder."""
    from visage.media.bundles import FileBundles

    root = Path(settings.bulk_folder).expanduser().absolute() if settings.bulk_folder else None
    return FileBundles(root, settings.max_bytes)


def open_thumbnails(settings: Settings) -> Callable[[bytes, str, int], bytes]:
    """Makes small pictures of photos: of its bytes, its name, and the pixels of the longer side."""
    from visage.media.thumbnails import Thumbnails

    return Thumbnails(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)


def open_keyring(settings: Settings) -> Keyring:
    """The API keys. Nothing is made or read before the first call."""
    return Keyring(open_objects(settings.keys_url), now=time.time, new_secret=lambda: secrets.token_urlsafe(32))
