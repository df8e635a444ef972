"""Shell completion: the script for a shell, and the names of assets, out of the local catalog.

https://click.palletsprojects.com/en/stable/shell-completion/
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import click

from datahub_llmops.answer_store.location import default_catalog, environment

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMMAND: Final = "datahub-llmops"
_VARIABLE: Final = "_DATAHUB_LLMOPS_COMPLETE"
"""The variable by which click's scripts ask for completions; its name follows from that of the command."""
_OFFERED: Final = 100
_BASH: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value word words=()
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if (( ${#words[@]} )) && [[ $word == :* || ${words[-1]} == *: ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    local typed=${words[-1]} kept=
    [[ $COMP_WORDBREAKS == *:* ]] && kept=${typed%%"${typed##*:}"}

    response=$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) %(complete_var)s=bash_complete $1)

    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("${value#"$kept"}")
        fi
    done
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""click's own script, but for the colon: bash ends a word there, and the name of an asset has one after its platform.

https://tiswww.case.edu/php/chet/bash/FAQ, E13
"""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell. It completes commands, options and the names of assets.

    \b
    bash: add to ~/.bashrc                        eval "$(datahub-llmops completion bash)"
    zsh:  add to ~/.zshrc, below compinit         eval "$(datahub-llmops completion zsh)"
    fish: datahub-llmops completion fish > ~/.config/fish/completions/datahub-llmops.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"this release of click has no completion for {shell}")
    script = found(context.find_root().command, {}, _COMMAND, _VARIABLE)
    text = script.source()  # It looks at the version of bash, too.
    click.echo(_BASH % script.source_vars() if shell == "bash" else text)


def complete_asset(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer the assets whose names begin with what was typed. Anything that is wrong offers none."""
    from click.shell_completion import CompletionItem

    try:
        where = context.find_root().params.get("where") or environment("CATALOG") or str(default_catalog())
        if "://" in where:
            # A server is not asked while somebody types.
            return []
        from datahub_llmops.catalog.local.catalog import LocalCatalog

        with closing(LocalCatalog(where)) as catalog:
            return [
                CompletionItem(name, help=description)
                for name, description in catalog.names_beginning(typed, _OFFERED)
            ]
    except Exception:  # noqa: BLE001 - a message would end up in the middle of what somebody types
        return []
