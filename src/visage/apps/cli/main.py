"""The command `visage`."""

import importlib
import importlib.util
import io
import logging
import os
import sys

import click

from visage.apps.cli.output import Context, complain
from visage.core.errors import UsageError, VisageError

# Each command and its file, which is read when the command is asked for: a photo does not wait for the web tier.
COMMANDS = {
    "enroll": "enroll",
    "recognize": "recognize",
    "detect": "recognize",
    "compare": "recognize",
    "people": "people",
    "gallery": "gallery",
    "evaluate": "evaluate",
    "models": "models",
    "serve": "serve",
    "web": "web",
    "worker": "worker",
    "autoscale": "autoscale",
    "queue": "queue",
    "keys": "keys",
    "watch": "watch",
    "quote": "quote",
    "doctor": "doctor",
}


# What these need is an extra of its own.
WEB = {"serve", "web"}


class Commands(click.Group):
    """The commands, in the order of the table above; those that cannot run here are left out of the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's form
        here = importlib.util.find_spec("flask") is not None
        return [name for name in COMMANDS if here or name not in WEB]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's form
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"visage.apps.cli.{COMMANDS[cmd_name]}")
        except ModuleNotFoundError as error:
            raise UsageError(f"visage {cmd_name} needs the package {error.name}: pip install 'visage[web]'") from error
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--home", metavar="DIR", help="Where people and models are kept.  [default: VISAGE_HOME]")
@click.option(
    "--gallery",
    metavar="URL",
    help="The gallery: sqlite:///PATH, postgresql://..., or a published s3://.../gallery.sqlite.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say what is being done, on standard error.")
@click.version_option(package_name="visage")
@click.pass_context
def visage(context: click.Context, home: str | None, gallery: str | None, verbose: bool) -> None:
    """Recognize faces in photos and videos.

    First enroll people (visage enroll FOLDER), then ask who is in a picture (visage recognize PHOTO). Settings come
    from VISAGE_* environment variables; visage doctor shows them.

    Exit codes: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted.
    """
    context.obj = Context(home=home, gallery=gallery)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="visage: %(message)s")


def main() -> None:
    """Run the command line; every error that Visage raises becomes one line and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    code = _run()
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _unwritten(error)
    sys.exit(code)


def _run() -> int:
    try:
        code = visage.main(standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except click.UsageError as error:
        error.show()
        code = 2
    except click.ClickException as error:
        code = _failed(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        code = _failed("interrupted; what was done before is kept", 130)
    except VisageError as error:
        code = _failed(str(error), 2 if isinstance(error, UsageError) else 1)
    except MemoryError:
        code = _failed("there is not enough memory; close other programs, or lower VISAGE_MAX_PIXELS", 1)
    except OSError as error:
        code = _unwritten(error)
    except Exception as error:  # the door: nothing raw reaches a user
        logging.info("what led to it:", exc_info=True)
        code = _failed(f"a fault of Visage itself, {error!r}; `visage -v ...` says where: please report it", 1)
    return code if isinstance(code, int) else 0


def _failed(message: str, code: int) -> int:
    complain(message)
    return code


def _unwritten(error: OSError) -> int:
    """The output cannot be written, or a file that nobody else had words for."""
    if error.filename is not None:
        return _failed(f"{error.filename}: {error.strerror}; mend that and try again", 1)
    # Python would try again to write what is left, and say so.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # whoever read the output has had enough
        return 1
    return _failed(f"the output cannot be written: {error.strerror}", 1)


if __name__ == "__main__":
    main()
