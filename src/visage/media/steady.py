"""A Python file below FFmpeg, which knows of no exceptions."""

from typing import IO


class Steady:
    """Reads `file`. What that raises is kept for `check`, and from then on the file is at its end for FFmpeg."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: Exception | None = None

    def check(self) -> None:
        """Raise what the file raised, if it did."""
        if self._error is not None:
            raise self._error

    def rewound(self) -> "Steady":
        """At its beginning."""
        self.seek(0)
        return self

    def read(self, size: int) -> bytes:
        if self._error is None:
            try:
                # PyAV copies whatever comes into a buffer of `size` bytes.
                return self._file.read(size)[:size]
            except Exception as error:  # noqa: BLE001  raised by `check`
                self._error = error
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        if self._error is None:
            try:
                return self._file.seek(offset, whence)
            except Exception as error:  # noqa: BLE001  raised by `check`
                self._error = error
        return 0

    def tell(self) -> int:
        return self._file.tell()
