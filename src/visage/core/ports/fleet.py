"""What is asked of workers, all of them and one; kept by `processes/` and `aws/`."""

from typing import Protocol


class Fleet(Protocol):
    """The app tier's instances."""

    def size(self) -> int:
        """How many there are or are being started; those on their way out do not count. May raise `FleetError`."""

    def resize(self, size: int) -> None:
        """Ask for so many. Fewer: idle ones go; a busy one is not taken away, so it may take a while.

        May raise `FleetError`, which is worth a retry."""

    def close(self) -> None:
        """End what the fleet itself runs; instances that live elsewhere go on."""


class Station(Protocol):
    """The place an app-tier instance works at."""

    def ready(self) -> None:
        """It can take work now."""

    def busy(self, working: bool) -> None:
        """Whether it has work in hand, so that it is not taken away. May be called with what is known already."""

    def leaving(self) -> bool:
        """Whether it has to go soon: take nothing more, finish or give back what is in hand."""

    def leave(self) -> None:
        """Its user wants it to go: `leaving` from now on. For the handler of a signal."""

    def close(self) -> None:
        """Nothing is in hand any more. Twice is once."""
