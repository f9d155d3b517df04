"""Nothing is lost, twice or wrong while processes of the service are killed; and a file that kills is put aside."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from load_client import Client, Photo

from tests.doors.service import LONG, Process, Reply, Service, Site, site_in
from visage.core.ports import Queue
from visage.processes.fleet import ProcessFleet
from visage.wiring import open_queue

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
REQUESTS, CONNECTIONS = 60, 10
# Application-tier processes to be killed, one a second; the web tier is killed after so many of them.
KILLS, WEB_AFTER = 4, 2

POISON = b"a file that ends who opens it"

# The app tier's process, but that its decoder dies of one file.
FRAIL_WORKER = f"""
import os, sys
from visage.apps import app_tier
from visage.media.decode import FileDecoder
from visage.processes.station import PipeStation
from visage.settings import load_settings
from visage.web.logs import log_as_json

class FrailDecoder(FileDecoder):
    def open(self, source, sampling):
        with open(source, "rb") as file:
            if file.read(100) == {POISON!r}:
                os._exit(1)
        return super().open(source, sampling)
"""
