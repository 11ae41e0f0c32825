"""`completion`: the script that completes commands, options and their values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_PROGRAM, _VARIABLE = "image-router", "_IMAGE_ROUTER_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; load it once and press Tab.

    \b
    image-router completion bash >> ~/.bashrc
    image-router completion zsh >> ~/.zshrc
    image-router completion fish > ~/.config/fish/completions/image-router.fish
    """
    from image_router.cli.app import cli  # the group names this module: known only when it runs

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion is known for {shell}")
    click.echo(kind(cli, {}, _PROGRAM, _VARIABLE).source())
