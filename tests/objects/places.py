"""Where objects are kept in tests, and other processes that find them there."""

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import boto3

import visage


@dataclass(frozen=True)
class Place:
    """Where objects are kept. shared: other processes find them there."""

    url: str
    shared: bool = True


def make_bucket() -> str:
    """A new bucket on whatever server AWS's variables name; its name."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    client = boto3.client("s3")
    client.create_bucket(Bucket=name)
    client.close()
    return name


def elsewhere(place: Place, script: str, *words: object) -> "subprocess.Popen[str]":
    """Run `script` in another process; it finds `objects`, and the words in `words`."""
    source = f"""
import sys, resource
from visage.objects.store import open_store
objects, words = open_store({place.url!r}), sys.argv[1:]
{script}
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1]), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", source, *map(str, words)]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE)


def outputs(processes: "list[subprocess.Popen[str]]") -> list[str]:
    told = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return told
