"""The worker's end of the pipes."""

import os
import subprocess
import sys

from tests.processes.workers import soon
from visage.processes.station import LoneStation, PipeStation


def test_says_only_what_is_new() -> None:
    listening, fleet_speaks = os.pipe()
    fleet_listens, speaking = os.pipe()
    station = PipeStation(listening, speaking)
    station.ready()
    for working in (False, True, True, False, False, True):
        station.busy(working)
    assert os.read(fleet_listens, 1000) == b"ready\nbusy\nidle\nbusy\n"
    assert not station.leaving()
    os.close(fleet_speaks)
    assert soon(station.leaving)
    os.close(fleet_listens)
    os.close(speaking)


def test_leaves_when_nobody_listens_any_more() -> None:
    listening, fleet_speaks = os.pipe()
    fleet_listens, speaking = os.pipe()
    station = PipeStation(listening, speaking)
    os.close(fleet_listens)
    station.busy(True)
    assert station.leaving()
    os.close(fleet_speaks)
    os.close(speaking)


def test_a_library_that_prints_or_reads_does_not_disturb() -> None:
    script = (
        "import sys; from visage.processes.station import PipeStation; station = PipeStation.standard(); "
        "print('chatter'); assert sys.stdin.read() == ''; station.ready()"
    )
    done = subprocess.run([sys.executable, "-c", script], input=b"x" * 5000, capture_output=True, check=True)
    assert done.stdout == b"ready\n"
    assert done.stderr.strip() == b"chatter"


def test_a_signal_makes_either_leave() -> None:
    lone = LoneStation()
    lone.ready()
    lone.busy(True)
    assert not lone.leaving()
    lone.leave()
    assert lone.leaving()
    listening, fleet_speaks = os.pipe()
    station = PipeStation(listening, os.dup(fleet_speaks))
    station.leave()
    assert station.leaving()
    os.close(fleet_speaks)
