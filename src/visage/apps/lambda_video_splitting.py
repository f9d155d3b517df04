"""The AWS Lambda function that splits videos: S3's event of a video -> frames and manifests in the stage.

Importing it opens what it needs, with the settings of the environment: Lambda imports it once for many events.
"""

import sys
from typing import Any

from visage.apps.functions import Functions
from visage.settings import load_settings
from visage.web.logs import log_as_json

log_as_json(sys.stderr)
_functions = Functions(load_settings())


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """context: Lambda's, which knows the time that is left and the memory. How many tasks were done."""
    _functions.memory = int(context.memory_limit_in_mb) / 1024
    return {"tasks": _functions.serve(event, lambda: context.get_remaining_time_in_millis() / 1000)}
