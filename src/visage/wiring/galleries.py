"""Galleries, and their published copies."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from visage.core.errors import NoObjectError, UsageError
from visage.core.galleries.publish import Publisher
from visage.core.ports.gallery import Gallery
from visage.wiring.stores import open_objects


def open_gallery(url: str, *, create: bool = False) -> Gallery:
    """The gallery at `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`, or, only to be read, the published
    copy at `s3://BUCKET/.../NAME` or `file:///.../NAME`.

    Raises `NoGalleryError` where it is missing and `create` is not set, `UsageError` for another URL."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        from visage.sqlite.gallery import SqliteGallery

        return SqliteGallery(Path(rest[1:]).expanduser(), create=create)
    if scheme in {"postgresql", "postgres"}:
        try:
            from visage.postgres.gallery import PostgresGallery
        except ImportError as error:  # psycopg is not there, or not the library it is built on
            raise UsageError("for a gallery in PostgreSQL psycopg is needed: pip install 'visage[postgres]'") from error
        return PostgresGallery(url, create=create)
    if scheme in {"s3", "file"}:
        from visage.sqlite.published import PublishedGallery

        store, key = _published_place(url)
        return PublishedGallery(open_objects(store), key, place=url)
    raise UsageError(  # without the URL, which may hold a password
        f"{scheme!r} is no kind of gallery; they are sqlite:///PATH, postgresql://USER:PASSWORD@HOST/DATABASE, "
        "and the published s3://BUCKET/NAME and file:///PATH"
    )


def open_publisher(url: str, gallery: Gallery) -> Publisher:
    """Keeps `s3://BUCKET/.../NAME` or `file:///.../NAME` level with the gallery, which must not be a published copy
    itself. Raises `UsageError`, and `GalleryError` where a file of another kind is in the way."""
    from visage.sqlite.published import PublishedGallery, check_place, pack

    if isinstance(gallery, PublishedGallery):  # it may be older than what it would be written over
        raise UsageError("the gallery is itself a published copy; publish from the one it was made from")
    store, key = _published_place(url)
    objects = open_objects(store)
    if store.startswith("file:"):
        with suppress(NoObjectError), objects.as_file(key) as path:
            check_place(Path(path))
    return Publisher(gallery, objects, key, pack)


def _published_place(url: str) -> tuple[str, str]:
    """The URL of the store, and the key in it."""
    store, _, key = url.rpartition("/")
    if not store.startswith(("s3://", "file:///")) or not key:
        raise UsageError("a published gallery is s3://BUCKET/.../NAME or file:///.../NAME, as in .../gallery.sqlite")
    return store, key


@contextmanager
def portable_gallery(file: Path, *, create: bool) -> Iterator[Gallery]:
    """A gallery in one file that can be carried away; it is whole, and nothing lies beside it, when the block ends."""
    from visage.sqlite.gallery import SqliteGallery

    gallery = SqliteGallery(file, create=create, portable=True)
    try:
        yield gallery
    finally:
        gallery.close()
