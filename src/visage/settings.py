"""One frozen record of everything that can be set, and the only reader of the environment.

A setting comes from the environment (VISAGE_DETECTOR, VISAGE_THREADS, ...), else from `settings.json` in the home
folder (which `visage models use` writes), else from the default below.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import platformdirs

from visage.core.errors import StorageError, UsageError

PREFIX = "VISAGE_"
FILE = "settings.json"

# Numbers that make no sense below these; all others must not be negative.
LEAST = {
    "search_area": 1000,
    "max_bytes": 1,
    "max_pixels": 1,
    "max_upload": 1,
    "web_threads": 1,
    "latency": 0.01,
    "chunk": 1,
}


@dataclass(frozen=True)
class Settings:
    """Names, meanings and defaults; each can be set as VISAGE_NAME.

    home: where all state is kept. gallery: its URL; empty: `gallery.sqlite` in home. collection: where none is named.
    detector: a card's name, or `auto`: YuNet where its file is installed, else MTCNN. embedder: a card's name.
    runtime: `openvino`, `torch`, or `auto`: torch where there is a CUDA device, else OpenVINO where it is installed.
    device: for torch: `cpu`, `cuda`, `mps` or `auto`. precision: `fp32`, `bf16`, `fp16` (torch) or `auto`.
    threads: at most so many at work; 0: as many as cores, 8 at most.
    search_area: a picture is searched for faces at no more than so many pixels (width x height). min_face: the
    smallest face looked for, pixels of the picture as it is searched; 0: the detector's own. detector_threshold: least
    score of a face; 0: the detector's own.
    stranger_rate: share of strangers that may be given a name. keep_crops: keep a crop of every enrolled face.
    max_bytes, max_pixels, max_seconds: what is refused of a file, a picture, a video.

    The service. queue: its URL; empty: `queue.sqlite` in home. objects: URL of the folder or bucket that holds `in`
    and `out`, what comes in and what was found; empty: `objects` in home. inputs, outputs: the URL of each, where
    they are apart. keys: URL of the folder or bucket with the API keys; empty: `keys` in home. publish: where to copy
    names and vectors whenever they change, as in s3://BUCKET/gallery.sqlite; empty: nowhere. lease: seconds a job is
    a worker's before it goes to another, unless the worker says that it is still at it; 0: 5, and 30 at SQS.
    keep_days: what came in and what was found is deleted after so many. unknown_days: faces that matched nobody are
    kept for so many, to be named; 0: not at all. unknown: URL of the folder or bucket for them; empty: `unknown` beside
    `in` and `out`. journal: URL of the folder or bucket for what was changed and who did what; empty: `journal` beside
    them. undo_days: changes of the gallery are kept for so many, and can be undone as long. audit_days: the same for
    who did what. bulk_folder: a folder of this machine, below which the service may enroll whole folders; empty: none.
    fleet: `processes:` of this machine, or `asg:NAME`. min_workers, max_workers: its bounds; a max of 0: as many as
    this machine has cores, 20 in an Auto Scaling group. latency: seconds an answer may take, for the autoscaler.
    quiet: seconds without work after which the fleet shrinks.
    The serverless form, of which inputs and outputs are the first and the last store. stage: URL of the folder or
    bucket between its two functions; empty: `stage` in home. every: which frames of a video, as in 1s, 10f, 12x, first,
    keys or all. chunk: frames that are recognized together. segment: seconds of the pieces that are sent in place of
    frames; 0: frames.
    host, port: where the web tier listens. tls_cert, tls_key: files (PEM). behind_tls_proxy: something in front of it
    speaks TLS. web_threads: requests at the same time. max_upload: bytes of a request. request_seconds: how long a
    request waits for its answer. max_backlog: jobs waiting, from which on new ones are refused.
    """

    home: Path
    gallery: str = ""
    collection: str = "default"
    detector: str = "auto"
    embedder: str = "resnet"
    runtime: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    search_area: int = 600_000
    min_face: float = 0.0
    detector_threshold: float = 0.0
    stranger_rate: float = 0.01
    keep_crops: bool = True
    max_bytes: int = 4 * 1024**3
    max_pixels: int = 100_000_000
    max_seconds: float = 12 * 3600.0
    queue: str = ""
    objects: str = ""
    inputs: str = ""
    outputs: str = ""
    keys: str = ""
    publish: str = ""
    lease: float = 0.0
    keep_days: float = 7.0
    unknown_days: float = 0.0
    unknown: str = ""
    journal: str = ""
    undo_days: float = 7.0
    audit_days: float = 90.0
    bulk_folder: str = ""
    fleet: str = "processes:"
    min_workers: int = 0
    max_workers: int = 0
    latency: float = 2.0
    quiet: float = 300.0
    stage: str = ""
    every: str = "1s"
    chunk: int = 10
    segment: float = 0.0
    host: str = "127.0.0.1"
    port: int = 8000
    tls_cert: str = ""
    tls_key: str = ""
    behind_tls_proxy: bool = False
    web_threads: int = 128
    max_upload: int = 256 * 1024**2
    request_seconds: float = 25.0
    max_backlog: int = 20_000

    @property
    def gallery_url(self) -> str:
        return self.gallery or f"sqlite:///{self.home / 'gallery.sqlite'}"

    def for_children(self) -> dict[str, str]:
        """The environment of processes that are to have these very settings. (A URL may hold a password: a command line
        is for all to see.)"""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        texts = {
            name: ("yes" if value else "no") if isinstance(value, bool) else str(value)
            for name, value in values.items()
        }
        return {**os.environ, **{PREFIX + name.upper(): text for name, text in texts.items()}}

    @property
    def queue_url(self) -> str:
        return self.queue or f"sqlite:///{self.home / 'queue.sqlite'}"

    @property
    def lease_seconds(self) -> float:
        return self.lease or (30.0 if self.queue_url.startswith("sqs:") else 5.0)

    @property
    def inputs_url(self) -> str:
        return self.inputs or self._objects_url + "/in"

    @property
    def outputs_url(self) -> str:
        return self.outputs or self._objects_url + "/out"

    @property
    def unknown_url(self) -> str:
        return self.unknown or self._objects_url + "/unknown"

    @property
    def journal_url(self) -> str:
        return self.journal or self._objects_url + "/journal"

    @property
    def stage_url(self) -> str:
        return self.stage or f"file:///{self.home / 'stage'}"

    @property
    def keys_url(self) -> str:
        return self.keys or f"file:///{self.home / 'keys'}"

    @property
    def _objects_url(self) -> str:
        return self.objects.rstrip("/") or f"file:///{self.home / 'objects'}"

    @property
    def models(self) -> Path:
        """Where fetched and brought models lie."""
        return self.home / "models"

    @property
    def cache(self) -> Path:
        """What can be deleted at any time: converted networks."""
        return self.home / "cache"

    @property
    def worker_threads(self) -> int:
        return self.threads or min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores())


def load_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """The settings in force; `overrides` go before everything else. Raises `UsageError` naming what is wrong."""
    environment = os.environ if environment is None else environment
    home = Path(str(overrides.get("home") or environment.get(PREFIX + "HOME") or platformdirs.user_data_path("visage")))
    try:
        home = home.expanduser().absolute()  # the stores' URLs are made from it, and they know no "here"
    except RuntimeError as error:
        raise UsageError(f"{home}: there is no such user; give VISAGE_HOME as a whole path") from error
    values: dict[str, Any] = {**_file(home), **_environment(environment), **overrides, "home": home}
    known = {field.name: field for field in fields(Settings)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"there is no setting {unknown[0]!r} (in {home / FILE}?); there are: {', '.join(known)}")
    typed: dict[str, Any] = {name: _typed(name, value, known[name].type) for name, value in values.items()}
    return Settings(**typed)


def save_setting(home: Path, name: str, value: str) -> None:
    """Keep one setting in the home folder's file, for every later run. Raises `StorageError`."""
    kept = {**_file(home), name: value}
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = home / f"{FILE}.draft"
        draft.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        draft.replace(home / FILE)
    except OSError as error:
        raise StorageError(f"cannot write {home / FILE}: {error.strerror}") from error


def _file(home: Path) -> dict[str, Any]:
    try:
        kept = json.loads((home / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{home / FILE} cannot be read ({error}); mend or delete it") from error
    if not isinstance(kept, dict):
        raise UsageError(f"{home / FILE} must hold one JSON object; mend or delete it")
    return kept


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = {field.name for field in fields(Settings)} - {"home"}
    return {name: environment[PREFIX + name.upper()] for name in names if environment.get(PREFIX + name.upper())}


def _typed(name: str, value: object, kind: object) -> object:
    """A setting as its type, and in its range."""
    if kind is bool and isinstance(value, str):
        if value.lower() in {"1", "true", "yes", "on"}:
            return True
        if value.lower() in {"0", "false", "no", "off"}:
            return False
        raise UsageError(f"{name} must be yes or no, not {value!r}")
    if kind in {int, float}:
        try:
            number = int(str(value)) if kind is int else float(str(value))
        except ValueError as error:
            raise UsageError(f"{name} must be a number, not {value!r}") from error
        if not number >= LEAST.get(name, 0):
            raise UsageError(f"{name} must not be below {LEAST.get(name, 0)}")
        return number
    if kind is str and not isinstance(value, str):
        raise UsageError(f"{name} must be a text, not {value!r}")
    return value


def _cores() -> int:
    return os.cpu_count() or 1
