"""What a video will take and cost, reckoned before anything runs: in the serverless form, and in the scalable one.

Counts follow from what the functions do, and a test holds them against a run of theirs; seconds are estimates.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import ceil

from visage.core.cost.counting import PAGE, add_took, requests_of_put
from visage.core.cost.footage import Footage, decoded, pieces, wanted
from visage.core.cost.prices import GB, US_EAST_1, Architecture, Prices, dollars, storage
from visage.core.cost.speeds import MEASURED, Speeds
from visage.core.serverless.chunks import AT_ONCE as READ_AT_ONCE
from visage.core.serverless.cutting import AT_ONCE as STORED_AT_ONCE
from visage.core.serverless.ranged import BLOCK
from visage.core.values import Sampling

PROCESSOR = 1769.0  # MB of memory with which a function has a whole processor

# Bytes of what is written beside pictures: a text, and more for each frame or face in it; and of an invocation's log.
_TEXT, _FRAME, _FACE, _LOG = 700, 65, 950, 1200

_EXTENDED = 10.0  # seconds after which a worker extends its leases in SQS


class Form(StrEnum):
    """How it is done. frames, segments: serverless, by pictures or by pieces of the video. scalable: on instances."""

    FRAMES = "frames"
    SEGMENTS = "segments"
    SCALABLE = "scalable"


@dataclass(frozen=True, slots=True)
class Terms:
    """How it is to be done. chunk: frames. segment: seconds. splitting, recognition: MB of the functions' memory.
    limit: seconds that a function has, at_once: chunks that are recognized at a time. faces: in each frame. days: until
    all is deleted."""

    sampling: Sampling
    chunk: int = 10
    segment: float = 10.0
    splitting: float = 3538.0
    recognition: float = 3538.0
    architecture: Architecture = Architecture.X86
    limit: float = 890.0
    at_once: int = 20
    faces: float = 1.0
    days: float = 7.0


@dataclass(frozen=True, slots=True)
class Quote:
    """took: as in a result (`core.cost.counting.Tally.took`), and of the scalable form `messages`, the requests to its
    queues. stored: bytes that are kept beside the video. seconds, dollars: by what they are spent on."""

    form: Form
    frames: int
    chunks: int
    took: Mapping[str, float]
    stored: float
    seconds: Mapping[str, float]
    dollars: Mapping[str, float]

    @property
    def total(self) -> float:
        """Dollars."""
        return sum(self.dollars.values())


def quote(footage: Footage, terms: Terms, form: Form, prices: Prices = US_EAST_1, speeds: Speeds = MEASURED) -> Quote:
    """What the video takes in this form, with nothing failing and nothing done twice."""
    if form is Form.SCALABLE:
        return _scalable(footage, terms, prices, speeds)
    return _serverless(footage, terms, form, prices, speeds)


@dataclass(frozen=True, slots=True)
class _Case:
    """A video in the serverless form. pictures: bytes of what travels between the functions."""

    footage: Footage
    terms: Terms
    speeds: Speeds
    by_frames: bool
    frames: int
    chunks: int
    pictures: float

    @property
    def decoding(self) -> float:
        """Seconds to decode what has to be decoded, by whichever function."""
        return _decoding(self.footage, self.terms.sampling, self.speeds)

    @property
    def kept(self) -> float:
        """Megapixels of all frames that are looked at."""
        return self.frames * self.footage.megapixels


@dataclass(slots=True)
class _Sum:
    """What one function takes, all its invocations together."""

    invocations: int
    puts: int
    gets: int
    lists: int
    sent: float
    received: float
    seconds: float

    def took(self, memory: float) -> dict[str, float]:
        """memory: MB."""
        return {**asdict(self), "gb_seconds": self.seconds * memory / 1024}


def _serverless(footage: Footage, terms: Terms, form: Form, prices: Prices, speeds: Speeds) -> Quote:
    by_frames = form is Form.FRAMES or not footage.seconds
    frames = wanted(footage, terms.sampling)
    chunks = ceil(frames / terms.chunk) if by_frames else pieces(footage, terms.segment)
    pictures = frames * footage.megapixels * speeds.jpeg_bytes if by_frames else float(footage.size)
    case = _Case(footage, terms, speeds, by_frames, frames, chunks, pictures)
    cut, seen = _splitting(case), _recognition(case)
    starts = min(chunks, terms.at_once, ceil(seen.seconds / cut.seconds))  # of recognition; it keeps up with cutting
    cut.seconds += speeds.cold
    seen.seconds += starts * speeds.cold
    took = add_took(cut.took(terms.splitting), seen.took(terms.recognition))
    stored = cut.sent + seen.sent
    return Quote(
        form=form,
        frames=frames,
        chunks=chunks,
        took=took,
        stored=stored,
        seconds={"splitting": cut.seconds, "recognition": seen.seconds},
        dollars={
            **dollars(took, prices, terms.architecture),
            "storage": storage(stored + footage.size, terms.days, prices),
            "logs": took["invocations"] * _LOG / GB * prices.log_gb,
        },
    )


def _splitting(case: _Case) -> _Sum:
    """Frames or segments, their manifests, and the plan."""
    size, chunks, speeds = case.footage.size, case.chunks, case.speeds
    if case.by_frames:
        work, pieces_put = case.decoding + case.kept * speeds.encode, case.frames
    else:
        work, pieces_put = size / 1e6 * speeds.demux, chunks
    waits = (pieces_put / STORED_AT_ONCE + chunks + 6) * speeds.request
    travel = (size + case.pictures) / 1e6 * speeds.megabyte
    seconds = max(work / _processors(case.terms.splitting) + waits, travel)
    invocations = ceil(seconds / case.terms.limit)
    return _Sum(
        invocations=invocations,
        puts=pieces_put + chunks + 1 + (invocations - 1),
        # The video. The result that there may be, the plan before and after, the first manifest, and the plan and the
        # last answer to fold. Who goes on reads the note and the last manifest, and looks for result, plan, and the
        # next manifest.
        gets=ceil(size / BLOCK) + 6 + 5 * (invocations - 1),
        lists=0,
        sent=case.pictures + (chunks + 1) * _TEXT + case.frames * _FRAME * case.by_frames,
        received=size,
        seconds=seconds + invocations * speeds.warm,
    )


def _recognition(case: _Case) -> _Sum:
    """The chunks' answers, and the result by whoever is last; as if the plan was there before the first of them."""
    terms, speeds, frames, chunks = case.terms, case.speeds, case.frames, case.chunks
    work = frames * (speeds.frame + terms.faces * speeds.face)
    if case.by_frames:
        work += case.kept * speeds.decode_jpeg
        reads, in_turn = frames, ceil(min(terms.chunk, frames) / READ_AT_ONCE)
    else:
        work += case.decoding + case.kept * speeds.convert
        reads, in_turn = chunks, 1
    answers = chunks * _TEXT + frames * terms.faces * _FACE
    waits = (chunks * (in_turn + 6) + chunks / READ_AT_ONCE) * speeds.request
    travel = case.pictures / 1e6 * speeds.megabyte
    return _Sum(
        invocations=chunks,
        puts=chunks + 2,
        # Of each chunk its manifest, the answer that there may be, who was erased, the plan, and the last answer; then
        # all answers, who was erased, and what the result was and has become.
        gets=reads + 5 * chunks + chunks + 5,
        lists=ceil(chunks / PAGE),
        sent=2 * answers,
        received=case.pictures + chunks * _TEXT + answers,
        seconds=work / _processors(terms.recognition) + waits + travel + chunks * speeds.warm,
    )


def _scalable(footage: Footage, terms: Terms, prices: Prices, speeds: Speeds) -> Quote:
    """One job of an instance that has others besides: it is paid for by the second."""
    frames = wanted(footage, terms.sampling)
    work = _decoding(footage, terms.sampling, speeds)
    work += frames * (footage.megapixels * speeds.convert + speeds.frame + terms.faces * speeds.face)
    seconds = work / prices.processors + footage.size / 1e6 * speeds.megabyte + 6 * speeds.request
    result = _TEXT + frames * terms.faces * _FACE
    took: dict[str, float] = {
        "seconds": seconds,
        # The video, the ticket and the result; every second how far it is, and how the worker is.
        "puts": requests_of_put(footage.size) + 2 + 2 * int(seconds),
        "gets": 3,
        "lists": 0,
        "sent": footage.size + result,
        "received": footage.size + result,
        "messages": 6 + int(seconds / _EXTENDED),
    }
    return Quote(
        form=Form.SCALABLE,
        frames=frames,
        chunks=0,
        took=took,
        stored=result,
        seconds={"instance": seconds},
        dollars={
            "seconds": seconds / 3600 * prices.instance_hour,
            "requests": dollars(took, prices)["requests"],
            "messages": took["messages"] * prices.message,
            "storage": storage(footage.size + result, terms.days, prices),
            "logs": _LOG / GB * prices.log_gb,
        },
    )


def _decoding(footage: Footage, sampling: Sampling, speeds: Speeds) -> float:
    pixels = decoded(footage, sampling) * footage.megapixels
    return pixels * speeds.decoding(footage.codec, keys=sampling.keys)


def _processors(memory: float) -> float:
    return memory / PROCESSOR
