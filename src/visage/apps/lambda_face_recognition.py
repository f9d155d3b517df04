"""The AWS Lambda function that recognizes: S3's event of a manifest -> the chunk's answer, and in the end the result.

Importing it loads networks and gallery, with the settings of the environment: Lambda imports it once for many events.
"""

import sys
from typing import Any

from visage.apps.functions import Functions
from visage.settings import load_settings
from visage.web.logs import log_as_json

log_as_json(sys.stderr)
_functions = Functions(load_settings())
_functions.warm()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """context: Lambda's, which knows the time that is left and the memory. How many tasks were done."""
    _functions.memory = int(context.memory_limit_in_mb) / 1024
    return {"tasks": _functions.serve(event, lambda: context.get_remaining_time_in_millis() / 1000)}
