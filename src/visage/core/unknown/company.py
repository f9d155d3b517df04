"""Who was seen with whom: two faces of one picture are never one person's."""


class Company:
    """rivals: for the rows of faces the rows of those on a picture with it, where there are any; for reading."""

    def __init__(self) -> None:
        self.rivals: dict[int, set[int]] = {}
        self._pictures: dict[int, frozenset[str]] = {}
        self._seen: dict[str, set[int]] = {}

    def appear(self, row: int, pictures: frozenset[str]) -> None:
        """The face of this row was seen on these pictures."""
        self._pictures[row] = pictures
        for picture in pictures:
            company = self._seen.setdefault(picture, set())
            for other in company:
                self.rivals.setdefault(row, set()).add(other)
                self.rivals.setdefault(other, set()).add(row)
            company.add(row)

    def vanish(self, row: int) -> None:
        """The face of this row is no more."""
        for picture in self._pictures.pop(row):
            self._seen[picture].discard(row)
            if not self._seen[picture]:
                del self._seen[picture]
        for other in self.rivals.pop(row, ()):
            self.rivals[other].discard(row)
            if not self.rivals[other]:
                del self.rivals[other]
