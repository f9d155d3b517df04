"""Work ahead: run an iterator on a thread of its own while its items are being used."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")


class _End:
    """What the iterator's end looks like from the other thread."""


_END: Final = _End()


def ahead(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """The items of `items` in order, the next `depth` of them made meanwhile on one background thread.

    At most `depth` items wait. An exception of the source is raised here, after the items before it. Closing the
    generator ends the thread and closes the source; it waits for the one item that is being made. The thread starts
    with the first item asked for, so a generator never used costs nothing.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="visage-ahead") as pool:
        # The pool's one thread takes the calls in turn, so each `next` finds the iterator where the last one left it.
        waiting = deque(pool.submit(next, items, _END) for _ in range(max(1, depth)))
        try:
            while not isinstance(item := waiting.popleft().result(), _End):
                waiting.append(pool.submit(next, items, _END))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)
            if isinstance(items, Generator):
                items.close()
