"""A thousand damaged files, given to the command in batches: each is answered or refused in words, nothing else.

A process per file would take half an hour, so every batch is one process with a limit of memory. Where a batch fails,
its folder under pytest's base folder holds the files; the file at fault is named, or is the one that
`visage detect FILE` dies of.
"""

import json
import shlex
import subprocess
import zlib
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.doors.bad_files import encoded, film, photo
from tests.doors.conftest import COMMAND

CASES, BATCHES = 1000, 10
MEMORY = 6_000_000  # kB of address space; the libraries alone reserve more than one
SECONDS = 100
KINDS = {"InputError", "NotFoundError", "UnreadableError", "TooLargeError"}
PNG = b"\x89PNG\r\n\x1a\n"

# What makes parsers stumble where they expect a size or a count.
ODD_NUMBERS = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF8]
SIGNATURE, HEADER = 12, 400
WOUNDS = ["flip"] * 4 + ["number"] * 4 + ["insert", "drop", "repeat", "graft", "cut"]


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the seeds with up to four wounds; half of the PNGs with checksums that are right again."""
    # Hypothesis likes small numbers and would wound little but signatures; of its generator of numbers it draws a seed.
    chance = draw(st.randoms(use_true_random=True))
    seed = chance.choice(seeds)
    data = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        first = 0 if chance.random() < 0.02 else SIGNATURE
        end = len(data) if chance.random() < 0.5 else min(len(data), HEADER)  # headers matter beyond their size
        wound(data, chance.randrange(first, max(first + 1, end)), chance.choice(seeds), chance)
    return with_checksums(bytes(data)) if seed.startswith(PNG) and chance.random() < 0.5 else bytes(data)


def wound(data: bytearray, at: int, other: bytes, chance: Random) -> None:
    how = chance.choice(WOUNDS)
    if how == "flip" and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif how == "number":
        width = chance.choice([1, 2, 4])
        number = chance.choice(ODD_NUMBERS) % (1 << 8 * width)
        data[at : at + width] = number.to_bytes(width, "big" if chance.random() < 0.5 else "little")
    elif how == "insert":
        data[at:at] = chance.randbytes(chance.randint(1, 16))
    elif how == "drop":
        del data[at : at + chance.randint(1, 64)]
    elif how == "repeat":
        data[at:at] = data[at : at + chance.randint(1, 512)]
    elif how == "graft":
        data[at:] = other[chance.randrange(len(other)) :]
    elif how == "cut":
        del data[chance.randrange(len(data) // 3, len(data) + 1) :]


def with_checksums(png: bytes) -> bytes:
    """The PNG with each chunk's checksum made to fit, so that the damage reaches the decoder."""
    data, at = bytearray(png), len(PNG)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(data)


@cache
def cases(samples: Path, folder: Path) -> list[bytes]:
    """The same thousand at every run."""
    face = photo(samples / "obama.jpg", 200)[:160, :160]
    small = face[::2, ::2][:80, :80]
    seeds = [
        encoded(face, "JPEG"), encoded(face, "JPEG", progressive=True), encoded(face, "PNG"),
        film(folder / "a.mp4", [np.roll(small, n, axis=1) for n in range(10)]).read_bytes(),
        film(folder / "b.mp4", [small] * 10, movflags="faststart").read_bytes(),
    ]  # fmt: skip
    made: list[bytes] = []

    @settings(
        max_examples=CASES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(damaged(seeds))
    def collect(data: bytes) -> None:
        made.append(data)

    collect()
    return made


@pytest.fixture(scope="module")
def batches(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[bytes]]:
    made = cases(samples, tmp_path_factory.mktemp("seeds"))
    assert len(made) == CASES
    return [made[start::BATCHES] for start in range(BATCHES)]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_damaged_files_give_answers_or_errors_in_words(
    batch: int, batches: list[list[bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    for number, data in enumerate(batches[batch]):
        (tmp_path / f"{number:03d}{('.jpg', '.png', '.mp4')[number % 3]}").write_bytes(data)
    command = f"ulimit -v {MEMORY}; exec {shlex.join([*COMMAND, 'detect', '--json', str(tmp_path)])}"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=environment, check=False, timeout=SECONDS
    )
    assert done.returncode in {0, 1}, done.stderr[-2000:]
    told = done.stderr.splitlines()
    assert all(line.startswith(f"visage: {tmp_path}") for line in told), done.stderr
    said = json.loads(done.stdout)
    assert len(told) == len(said["errors"])
    assert {error["error"] for error in said["errors"]} <= KINDS
    answered = [answer["source"] for answer in said["answers"]]
    refused = [error["source"] for error in said["errors"]]
    partly = [answer["source"] for answer in said["answers"] if answer["media"][0]["problem"]]
    assert sorted(answered + [source for source in refused if source not in partly]) == sorted(
        str(path) for path in tmp_path.iterdir()
    )
    assert set(partly) <= set(refused)
    assert done.returncode == bool(refused)
