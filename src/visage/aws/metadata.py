"""What an EC2 instance is told about itself: the instance metadata service, version 2."""

import urllib.error
import urllib.request

import botocore.session

from visage.core.errors import FleetError

_USUAL = "http://169.254.169.254"
_TOKEN_SECONDS = 21600
_TIMEOUT = 2.0


class Metadata:
    """endpoint: the service's address; None: as boto3 finds it (AWS_EC2_METADATA_SERVICE_ENDPOINT), else the usual."""

    def __init__(self, endpoint: str | None = None) -> None:
        said = endpoint or botocore.session.Session().get_config_variable("ec2_metadata_service_endpoint")
        self._root = str(said or _USUAL).rstrip("/") + "/latest"
        self._token = ""
        # Never through a proxy: it would be told about its own machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> str | None:
        """What stands at `path` of the meta-data; None where nothing does. Raises `FleetError` where nobody answers."""
        for renewed in (False, True):
            if not self._token or renewed:
                asking = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
                self._token = self._ask("PUT", "/api/token", asking) or ""
            try:
                return self._ask("GET", f"/meta-data/{path}", {"X-aws-ec2-metadata-token": self._token})
            except PermissionError:  # the token has run out
                continue
        raise FleetError(f"the instance metadata at {self._root} refuse the token they gave; allow version 2 of them")

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str | None:
        request = urllib.request.Request(self._root + path, method=method, headers=headers)
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                return str(response.read(65536).decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 401:
                raise PermissionError from error
            if error.code == 404:
                return None
            raise FleetError(f"the instance metadata at {self._root} answer {error.code}; try again") from error
        except (OSError, ValueError) as error:
            raise FleetError(
                f"no instance metadata at {self._root} ({error}); is this an EC2 instance, and are they enabled?"
            ) from error
