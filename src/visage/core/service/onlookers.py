"""Who looks on while a worker performs a job: one tells how far it is, one gathers faces that match nobody."""

from collections.abc import Callable, Sequence

from visage.core.jobs import Watcher
from visage.core.kit import Kit
from visage.core.service.hand import Held
from visage.core.service.outbox import Outbox
from visage.core.service.records import Records
from visage.core.unknown.cluster import thresholds_for
from visage.core.unknown.strangers import Gatherer, Strangers
from visage.core.values import Frame, JobKind, Media, Sighting


class Onlookers:
    def __init__(
        self,
        kit: Kit,
        records: Records,
        outbox: Outbox,
        give_way: Callable[[], None],
        *,
        often: float,
        keep: bool,
    ) -> None:
        """give_way: gives back what waits for the end of a job that takes long. often: seconds between two notes of how
        far a job is. keep: whether faces that match nobody are kept."""
        self._kit = kit
        self._records = records
        self._outbox = outbox
        self._give_way = give_way
        self._often = often
        self._keeps = keep

    def of(self, held: Held, gatherer: Gatherer | None) -> Watcher | None:
        """All of a job's; to be called with every frame that was looked at."""
        looks = held.ticket.job.kind in {JobKind.RECOGNIZE, JobKind.DETECT}
        watchers = [watcher for watcher in (self._progress(held) if looks else None, gatherer) if watcher]
        return _all_of(watchers) if watchers else None

    def gatherer(self, held: Held) -> Gatherer | None:
        """Whoever matches nobody in this job is kept by it, if that is wished."""
        if not self._keeps or held.ticket.job.kind is not JobKind.RECOGNIZE:
            return None
        return Gatherer(link=thresholds_for(self._kit.card).link, to_jpeg=self._kit.to_jpeg)

    def gathered(self, gatherer: Gatherer | None, held: Held) -> Strangers | None:
        return gatherer.strangers(held.ticket, self._kit.embedder.name) if gatherer else None

    def _progress(self, held: Held) -> Watcher:
        """Called with every frame of a video: every now and then it notes how far that is, and gives back what waits
        for its end, which may take hours."""
        last = self._kit.clock()

        def note(frame: Frame, _seen: Sequence[Sighting], media: Media) -> None:
            nonlocal last
            if not media.is_video or self._kit.clock() - last < self._often:
                return
            last = self._kit.clock()
            self._give_way()
            if media.duration:
                with self._outbox.patience("progress cannot be noted", pause=False):
                    self._records.progress(held.ticket, min(1.0, frame.time / media.duration))

        return note


def _all_of(watchers: Sequence[Watcher]) -> Watcher:
    def watch(frame: Frame, seen: Sequence[Sighting], media: Media) -> None:
        for watcher in watchers:
            watcher(frame, seen, media)

    return watch
