"""Object stores: URL -> object; and what is made for packages that are not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from visage.core.errors import UsageError
from visage.core.ports.objects import Objects


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports that need one of the package's extras."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"this needs the package {error.name}: pip install 'visage[{name}]'") from error


def open_objects(url: str) -> Objects:
    """The object store at `file:///PATH`, `s3://BUCKET/PREFIX` or `memory:///`. Raises `UsageError` for another URL."""
    from visage.objects.store import open_store

    with extra("web"):
        return open_store(url)


def is_missing(url: str) -> bool:
    """Whether it is the URL of a folder that is not there, in which nothing can be."""
    from visage.objects.store import is_missing as is_missing_folder

    return is_missing_folder(url)
