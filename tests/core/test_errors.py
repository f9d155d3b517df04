"""The tree drawn in the docstring is the tree of the classes."""

import inspect

import visage
from visage.core import errors

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, BaseException) and kind.__module__ == errors.__name__
}


def drawn() -> dict[str, str]:
    """Each error in the drawing and the one it hangs from."""
    above: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        word = line.lstrip(" │├└─").split(" ")[0]
        if not word.endswith("Error"):
            continue
        depth = line.index(word)
        path = [(column, name) for column, name in path if column < depth]
        above[word] = path[-1][1] if path else "Exception"
        path.append((depth, word))
    return above


def test_the_tree_is_drawn_as_it_is() -> None:
    assert drawn() == {name: kind.__mro__[1].__name__ for name, kind in CLASSES.items()}


def test_each_says_in_its_docstring_what_it_means() -> None:
    assert all(kind.__doc__ for kind in CLASSES.values())


def test_an_input_error_names_its_source() -> None:
    error = errors.TooLargeError("a.jpg", "it is too large")
    assert str(error) == "a.jpg: it is too large"
    assert (error.source, error.reason) == ("a.jpg", "it is too large")


def test_the_branches_are_public() -> None:
    branches = {name for name, above in drawn().items() if above in {"Exception", "VisageError"}}
    assert branches <= set(visage.__all__)
