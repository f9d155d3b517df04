"""What is counted and timed, for Prometheus. No name, id or address of anybody is ever a label."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from visage.core.errors import StorageError
from visage.core.values import UNKNOWN
from visage.web.load import Load

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# From what a photo takes on an idle machine to what a request may wait.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Telemetry:
    """A registry of its own, so that several applications may live in one process."""

    def __init__(self, load: Load) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "visage_request_seconds",
            "Time of a request",
            ("route", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._answers = self._counter("visage_answers", "Jobs whose result was handed out first hand", ("status",))
        self._faces = self._counter("visage_faces", "Faces in those results")
        self._unknown = self._counter("visage_unknown_faces", "Faces in those results that nobody was found for")
        self._errors = self._counter("visage_errors", "Faults of the service", ("kind",))
        self._refusals = self._counter("visage_backlog_refusals", "Requests refused because too many jobs were waiting")
        self._registry.register(_State(load))

    def request(self, route: str, status: int, seconds: float) -> None:
        """route: its pattern, not what was asked for."""
        self._seconds.labels(route, str(status)).observe(seconds)

    def result(self, result: Mapping[str, Any]) -> None:
        """A result as it lies in the store."""
        self._answers.labels(result["status"]).inc()
        faces = result.get("answer", {}).get("faces", ())
        self._faces.inc(len(faces))
        self._unknown.inc(sum(face.get("name") == UNKNOWN for face in faces))

    def error(self, kind: str) -> None:
        """kind: the name of the error's class."""
        self._errors.labels(kind).inc()

    def refusal(self) -> None:
        self._refusals.inc()

    def page(self) -> bytes:
        return generate_latest(self._registry)

    def _counter(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, meaning, labels, registry=self._registry)


class _State(Collector):
    """Queue and fleet, read when they are asked for."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            depth, fleet = self._load.depth(), self._load.fleet()
        except StorageError:
            yield GaugeMetricFamily("visage_state_known", "Whether queue and stores could be asked", 0)
            return
        yield GaugeMetricFamily("visage_state_known", "Whether queue and stores could be asked", 1)
        yield GaugeMetricFamily("visage_queue_waiting", "Jobs waiting", depth.waiting)
        yield GaugeMetricFamily("visage_queue_in_flight", "Jobs a worker has in hand", depth.in_flight)
        if depth.oldest is not None:
            yield GaugeMetricFamily("visage_queue_oldest_seconds", "How long the oldest job has waited", depth.oldest)
        if fleet is not None:
            yield GaugeMetricFamily("visage_fleet_size", "App-tier instances", fleet.size)
            yield GaugeMetricFamily("visage_fleet_wanted", "App-tier instances asked for", fleet.wanted)
            yield GaugeMetricFamily("visage_fleet_max", "App-tier instances at most", fleet.max)
