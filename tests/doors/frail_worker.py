"""A process of the app tier, put together as `visage.apps.app_tier` does it, whose decoder dies of one file."""

import os
import uuid
from contextlib import AbstractContextManager
from dataclasses import replace

from visage import load_settings, open_engine
from visage.core.ports.media import Clip, Decoder
from visage.core.service.worker import Places, Worker
from visage.core.stored import StoreDecoder
from visage.core.values import Sampling
from visage.processes.station import PipeStation
from visage.wiring import open_objects, open_queue, open_replies

DEADLY = b"a file that ends who opens it"


class FrailDecoder:
    """`core.ports.media.Decoder` for keys of the input store."""

    def __init__(self, decoder: Decoder) -> None:
        self._inputs = open_objects(load_settings().inputs_url)
        self._decoder = StoreDecoder(self._inputs, decoder)

    def open(self, source: str, sampling: Sampling) -> AbstractContextManager[Clip]:
        if self._inputs.get(source) == DEADLY:
            os._exit(1)
        return self._decoder.open(source, sampling)

    def find(self, folder: str) -> list[str]:
        return self._decoder.find(folder)


def main() -> None:
    settings = load_settings()
    with open_engine(settings) as engine:
        kit = replace(engine.kit, decoder=FrailDecoder(engine.kit.decoder))
        places = Places(
            open_queue(settings),
            open_objects(settings.inputs_url),
            open_objects(settings.outputs_url),
            open_replies(settings),
            PipeStation.standard(),
        )
        Worker(kit, places, name=uuid.uuid4().hex, lease=settings.lease_seconds, log=lambda *_, **__: None).run()


if __name__ == "__main__":
    main()
