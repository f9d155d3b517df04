"""Files that come into a folder: which of them have not changed for a while, and so may be whole."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)

# Seconds for which a file must not have changed.
STILL = 0.5


@dataclass(slots=True)
class _State:
    version: str
    first: float
    due: float


class Settling(Generic[Name]):
    """Knows no clock: times are seconds of the caller's."""

    def __init__(self) -> None:
        self._states: dict[Name, _State] = {}

    def __len__(self) -> int:
        return len(self._states)

    def see(self, name: Name, version: str, now: float) -> None:
        """That it is there, in this version; its time begins anew only if that is another."""
        state = self._states.get(name)
        if state is None:
            self._states[name] = _State(version, now, now + STILL)
        elif state.version != version:
            state.version, state.due = version, now + STILL

    def postpone(self, name: Name, now: float) -> float:
        """It is not whole yet, whatever it looks like; for how many seconds it has been coming."""
        state = self._states[name]
        state.due = now + STILL
        return now - state.first

    def forget(self, name: Name) -> None:
        self._states.pop(name, None)

    def seen(self) -> list[tuple[Name, str]]:
        """All of them, as they were seen last."""
        return [(name, state.version) for name, state in self._states.items()]

    def ready(self, now: float) -> list[tuple[Name, str]]:
        """Those whose time has come, as they were seen last, the first to come first."""
        return [(name, state.version) for name, state in self._states.items() if state.due <= now]

    def wait(self, now: float) -> float | None:
        """Seconds until the next one's time has come."""
        return max(0.0, min(state.due for state in self._states.values()) - now) if self._states else None
