"""Lists of picture pairs in the format of Labeled Faces in the Wild: same person or not?

    10	300                          folds, and pairs of either kind in each; just `300` for a single set
    Abel_Pacheco	1	4              that many pairs of one person: the name, the numbers of two pictures
    Abdel_Madi	5	Dean_Barker	1      then as many of two people; then the next fold

Source: Huang, Ramesh, Berg, Learned-Miller, "Labeled Faces in the Wild", University of Massachusetts 07-49, 2007.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from visage.core.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class Picture:
    """The number-th picture (from 1) of the person of that name."""

    name: str
    number: int

    def path(self, extension: str = ".jpg") -> str:
        """Where LFW keeps it, below the folder of pictures: `Abel_Pacheco/Abel_Pacheco_0001.jpg`."""
        return f"{self.name}/{self.name}_{self.number:04d}{extension}"


@dataclass(frozen=True, slots=True)
class Pair:
    first: Picture
    second: Picture

    @property
    def same(self) -> bool:
        return self.first.name == self.second.name


Fold = tuple[Pair, ...]


def parse_pairs(text: str) -> tuple[Fold, ...]:
    """The folds of a list of pairs: one where its first line is a single number.

    Words are parted by tabs or, where a line has none, by spaces; blank lines are passed over. Raises `UsageError`
    naming the line that does not fit.
    """
    lines = [
        (number, _words(line)) for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1) if line.strip()
    ]
    if not lines:
        raise UsageError(
            "the list of pairs is empty: its first line gives the number of pairs, as in `10 300` or `500`"
        )
    folds, each = _header(*lines[0])
    pairs = []
    for index, (number, words) in enumerate(lines[1:]):
        if index >= folds * 2 * each:
            raise UsageError(f"line {number} of the list of pairs is one more than its first line announces")
        pairs.append(_pair(number, words, same=index // each % 2 == 0))
    if len(pairs) < folds * 2 * each:
        raise UsageError(
            f"the list of pairs ends after line {lines[-1][0]} with {len(pairs)} pairs, while its first line announces "
            f"{folds} x {each} of the same person and as many of different people"
        )
    return tuple(tuple(pairs[start : start + 2 * each]) for start in range(0, len(pairs), 2 * each))


def pictures(folds: Iterable[Fold]) -> list[Picture]:
    """Every picture that is named, once, by name and number."""
    return sorted({picture for fold in folds for pair in fold for picture in (pair.first, pair.second)})


def _words(line: str) -> list[str]:
    words = line.split("\t") if "\t" in line else line.split()
    return [word.strip() for word in words if word.strip()]


def _header(number: int, words: list[str]) -> tuple[int, int]:
    counts = [int(word) for word in words if _is_number(word)]
    if len(counts) != len(words) or len(counts) > 2 or 0 in counts:
        raise UsageError(
            f"line {number} of the list of pairs must give the number of folds and of pairs, as in `10 300`, or only "
            f"the number of pairs, as in `500`, not {' '.join(words)!r}"
        )
    return (counts[0], counts[1]) if len(counts) == 2 else (1, counts[0])


def _pair(number: int, words: list[str], *, same: bool) -> Pair:
    wanted = "a name and two numbers" if same else "two names, each with a number"
    if len(words) != (3 if same else 4):
        raise UsageError(f"line {number} of the list of pairs must be {wanted}, not {' '.join(words)!r}")
    first = _picture(number, words[0], words[1])
    second = _picture(number, words[-2] if not same else words[0], words[-1])
    if not same and first.name == second.name:
        raise UsageError(f"line {number} of the list of pairs must name two people, not {first.name!r} twice")
    return Pair(first, second)


def _picture(line: int, name: str, number: str) -> Picture:
    # Names become parts of paths: they must not lead out of the folder of pictures.
    if any(sign in name for sign in "/\\\0") or name in {".", ".."}:
        raise UsageError(f"line {line} of the list of pairs: {name!r} cannot be the name of a folder")
    if not _is_number(number):
        raise UsageError(f"line {line} of the list of pairs: {number!r} is not the number of a picture")
    return Picture(name, int(number))


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) < 10
