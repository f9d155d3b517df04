"""Both functions in this process, on three folders, and what asks them."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

from visage import load_settings
from visage.apps.functions import Functions
from visage.core.serverless.uploads import Ask, Task, Upload, ask_of_stage
from visage.wiring import open_objects

_orders = itertools.count(1)


class Folders:
    """Whatever is put there is done when `put` returns; what fails is raised."""

    def __init__(self, root: Path, **settings: object) -> None:
        """root: with `gallery.sqlite`."""
        self.root = root
        self.gallery = f"sqlite:///{root / 'gallery.sqlite'}"
        stores = {name: f"file:///{root / name}" for name in ("inputs", "stage", "outputs")}
        self.inputs, self.stage, self.outputs = map(open_objects, stores.values())
        self._functions = Functions(load_settings(None, gallery=self.gallery, **stores, **settings))

    def put(self, key: str, data: bytes, *, gone: bool = False) -> None:
        """gone: it is deleted before anybody looks."""
        self.inputs.put(key, data)
        tag, order = self.inputs.version(key), f"{next(_orders):016X}"
        assert tag is not None
        if gone:
            self.inputs.delete([key])
        before = {stored.key for stored in self.stage.list()}
        tasks = [Task(Ask.SPLIT, key, Upload(key, f"{order}-{tag}", order, tag, len(data)))]
        while tasks:
            self._functions.do(tasks.pop(0), lambda: math.inf)
            new = sorted({stored.key for stored in self.stage.list()} - before)
            before.update(new)
            tasks += [Task(ask, staged) for staged in new if (ask := ask_of_stage(staged))]

    def text(self, name: str) -> str:
        return self.outputs.get(f"{name}.txt").decode()

    def result(self, name: str) -> Any:
        return json.loads(self.outputs.get(f"{name}.json"))

    def close(self) -> None:
        self._functions.close()
