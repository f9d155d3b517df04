"""Workers at benches, and what tests ask about their work."""

import threading
from collections.abc import Callable
from typing import Any

from tests.core.service_fakes import Bench, NamedPictures, Service, find, make_kit
from visage.core.ports.queue import Delivery
from visage.core.tickets import Ticket
from visage.core.values import Face, Pixels

LEASE = 0.6


class Gate:
    """Pictures whose detector waits until the gate is opened. reached: somebody stands before it."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, pixels: Pixels) -> list[Face]:
        if pixels.any():  # not when it warms up
            self.reached.set()
            assert self.opened.wait(120)
        return find(pixels)


def bench(service: Service, **kit: Any) -> Bench:
    opened: Callable[[str], None] = kit.pop("opened", lambda name: None)
    return Bench(service, make_kit(service.folder, NamedPictures(opened), **kit))


def result(service: Service, ticket: Ticket) -> dict[str, Any]:
    found = service.reception.wait(ticket.id, 60.0)
    assert found is not None
    return found


def names(service: Service, ticket: Ticket) -> list[str]:
    found = result(service, ticket)
    assert found["status"] == "done", found
    return list(found["answer"]["names"])


def is_empty(service: Service) -> bool:
    depth = service.queue.depth()
    return (depth.waiting, depth.in_flight) == (0, 0)


def lease(service: Service, count: int) -> list[Delivery]:
    """As another worker that takes messages and dies: they come back at once, but were leased before."""
    deliveries = service.queue.receive(count, 1.0)
    assert len(deliveries) == count
    service.queue.release([delivery.receipt for delivery in deliveries])
    return deliveries


def keys(service: Service, ticket: Ticket) -> list[str]:
    return [stored.key.partition("/")[2] for stored in service.outputs.list(ticket.id)]
