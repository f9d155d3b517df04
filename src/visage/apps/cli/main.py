"""The command `visage`."""

import logging
import sys

import click

from visage.apps.cli.doctor import doctor
from visage.apps.cli.enroll import enroll
from visage.apps.cli.evaluate import evaluate
from visage.apps.cli.models import models
from visage.apps.cli.output import Context
from visage.apps.cli.people import people
from visage.apps.cli.recognize import compare, detect, recognize
from visage.core.errors import UsageError, VisageError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--home", metavar="DIR", help="Where people and models are kept.  [default: VISAGE_HOME]")
@click.option("--gallery", metavar="URL", help="The gallery of enrolled people, sqlite:///PATH.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is being done, on standard error.")
@click.version_option(package_name="visage")
@click.pass_context
def visage(context: click.Context, home: str | None, gallery: str | None, verbose: bool) -> None:
    """Recognise faces in photos and videos.

    First enrol people (visage enroll FOLDER), then ask who is in a picture (visage recognize PHOTO). Settings come from
    VISAGE_* environment variables; visage doctor shows them.

    Exit codes: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted.
    """
    context.obj = Context(home=home, gallery=gallery)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="visage: %(message)s")


for command in (enroll, recognize, detect, compare, people, evaluate, models, doctor):
    visage.add_command(command)


def main() -> None:
    """Run the command line; every error that Visage raises becomes one line and an exit code."""
    try:
        visage.main(standalone_mode=False)
    except UsageError as error:
        _end(str(error), 2)
    except VisageError as error:
        _end(str(error), 1)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("interrupted; what was done before is kept", 130)
    except BrokenPipeError:  # whoever read the output has had enough
        sys.stderr.close()
        sys.exit(1)


def _end(message: str, code: int) -> None:
    click.echo(f"visage: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
