"""visage doctor: what is here, what is missing, does it work."""

import importlib.metadata
import platform
import re
import sys
from contextlib import closing

import click

from visage.apps.checkup import check_people
from visage.apps.cli.output import Context, as_json, print_json, with_context
from visage.core.errors import NoGalleryError, VisageError
from visage.settings import Settings
from visage.wiring import (
    detector_card,
    embedder_card,
    installed_models,
    open_gallery,
    open_runtime,
    self_test,
)

PACKAGES = ("numpy", "opencv-python-headless", "pillow", "openvino", "torch", "av", "pillow-heif", "matplotlib")


@click.command()
@as_json
@with_context
def doctor(context: Context, as_json: bool) -> None:
    """Say what is installed, which runtime and settings are in force, where data lies; and try the networks once."""
    settings = context.settings()
    problems: list[str] = []
    facts: dict[str, object] = {
        "visage": importlib.metadata.version("visage"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "threads": settings.worker_threads,
        "home": str(settings.home),
        "gallery": re.sub(r"//([^:/@]*):[^@]*@", r"//\1:***@", settings.gallery_url),
        "cache": str(settings.cache),
        "models": installed_models(settings),
    }
    try:
        facts["detector"] = detector_card(settings).name
        facts["embedder"] = embedder_card(settings).name
        runtime = open_runtime(settings)
        facts["runtime"] = runtime.name
        facts["cpu"] = runtime.features
        facts["self_test"] = self_test(settings, runtime)
    except VisageError as error:
        problems.append(str(error))
    facts |= _people(settings, problems)
    facts["problems"] = problems
    if as_json:
        print_json(facts)
    else:
        _print(facts)
    if problems:
        sys.exit(1)


def _people(settings: Settings, problems: list[str]) -> dict[str, object]:
    try:
        with closing(open_gallery(settings.gallery_url)) as gallery:
            found = check_people(settings, gallery)
    except NoGalleryError:
        return {"people": 0, "faces": 0, "advice": []}
    except VisageError as error:
        problems.append(str(error))
        return {}
    problems += [f"{finding.what}: {finding.remedy}" for finding in found.findings]
    return {"people": found.people, "faces": found.faces, "advice": found.advice}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _print(facts: dict[str, object]) -> None:
    for name, value in facts.items():
        if isinstance(value, dict):
            click.echo(f"{name}:")
            for key, one in value.items():
                click.echo(f"  {key}: {_plain(one)}")
        elif isinstance(value, list):
            for line in value:
                click.echo(f"{name}: {line}")
        else:
            click.echo(f"{name}: {value}")
    if not facts["problems"]:
        click.echo("all is well")


def _plain(value: object) -> str:
    return {None: "not installed", True: "installed", False: "not installed"}.get(value, str(value))  # type: ignore[call-overload, no-any-return]
