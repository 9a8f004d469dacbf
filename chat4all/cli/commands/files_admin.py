"""`chat4all files`: delete and forward files. In a checkout the server adds `sweep`."""

from __future__ import annotations

import click

from chat4all.cli import server_commands
from chat4all.cli.command_line import Commands
from chat4all.cli.output import file_facts, printable
from chat4all.cli.session import Session, api_command


class _Files(Commands):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *server_commands.names("files")])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or server_commands.command_named(cmd_name, "files")


@click.group(cls=_Files)
def files() -> None:
    """Delete and forward files; look after the stored files, as who runs the system."""


@files.command()
@click.argument("file_id")
@api_command()
async def delete(session: Session, file_id: str) -> None:
    """Delete a file that you uploaded, or, as a group's admin, any file of the group.

    Messages still name it, but it cannot be downloaded. Copies in other conversations stay.
    """
    await session.client.delete_file(file_id)
    session.out.document({"file_id": file_id, "deleted": True}, f"file {printable(file_id)} is deleted")


@files.command()
@click.argument("file_id")
@click.argument("conversation")
@api_command()
async def forward(session: Session, file_id: str, conversation: str) -> None:
    """Copy a file into another CONVERSATION, to send it there, without uploading it again."""
    file = await session.client.copy_file(file_id, conversation)
    words = f"file {file['file_id']} ({file_facts(file)}) is in conversation {printable(file['conversation_id'])}"
    session.out.document(file, words)
