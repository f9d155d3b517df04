"""visage keys: create, list, revoke."""

from datetime import UTC, datetime

import click

from visage.apps.cli.output import Context, as_json, print_json, print_table, with_context
from visage.core.service.keyring import Role
from visage.wiring import open_keyring


@click.group()
def keys() -> None:
    """Make and revoke API keys, which programs show to the service."""


@keys.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.RECOGNIZE.value,
    show_default=True,
    help="What the key may do; each role includes those before it.",
)
@as_json
@with_context
def create(context: Context, name: str, role: str, as_json: bool) -> None:
    """Make a key called NAME. It is printed once, alone on standard output, and cannot be shown again."""
    account, text = open_keyring(context.settings()).create(name, Role(role))
    if as_json:
        print_json({"id": account.id, "name": account.name, "role": account.role.value, "key": text})
    else:
        click.echo(text)
    click.echo(f"visage: this key of {account.name} is not shown again; keep it in a safe place", err=True)


@keys.command("list")
@as_json
@with_context
def list_keys(context: Context, as_json: bool) -> None:
    """All keys, also the revoked ones; not their secrets, which nobody knows."""
    everyone = open_keyring(context.settings()).list()
    if as_json:
        fields = ("id", "name", "role", "created", "revoked")
        print_json({"keys": [{name: getattr(key, name) for name in fields} for key in everyone]})
        return
    rows = [[key.id, key.name, key.role.value, _day(key.created), _day(key.revoked)] for key in everyone]
    print_table(rows, ["id", "name", "role", "since", "revoked"])


@keys.command()
@click.argument("name")
@as_json
@with_context
def revoke(context: Context, name: str, as_json: bool) -> None:
    """Let a key, by name or id, not be used any more. A running service heeds it within two seconds."""
    account = open_keyring(context.settings()).revoke(name)
    if as_json:
        print_json({"revoked": {"id": account.id, "name": account.name, "role": account.role.value}})
    else:
        click.echo(f"the key of {account.name} (id {account.id}) is revoked")


def _day(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d")
