"""Where recipes write: a file or a server, never with a secret in the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from datahub_llmops.errors import RecipeError
from datahub_llmops.setup.target import (
    check_address,
    configured_server,
    local_target,
    server_of_datahub,
    server_of_variables,
    server_target,
)
from datahub_llmops.setup.variables import Variables

SECRET = "planted-token-5ec7e7"
NONE = Variables(environment=frozenset(), files={})
TOKEN = Variables(environment=frozenset({"DATAHUB_GMS_URL"}), files={"DATAHUB_GMS_TOKEN": ".env"})


def test_the_default_file_is_not_named() -> None:
    target = local_target(None, Path("/home/ada/catalog.db"), Path("/srv"))
    assert (target.option, target.sink, target.state) == ("", {"type": "llm-local"}, {"type": "llm-local"})


def test_another_file_is_named_to_sink_state_and_command(tmp_path: Path) -> None:
    target = local_target(str(tmp_path / "a${b}.db"), Path("/home/ada/catalog.db"), tmp_path)
    named = {"type": "llm-local", "config": {"path": "./a\\${b}.db"}}
    assert (target.option, target.sink, target.state) == ("./a${b}.db", named, named)


def test_a_server_has_its_token_by_name() -> None:
    assert server_target("http://gms:8080", TOKEN).sink == {
        "type": "datahub-rest",
        "config": {"server": "http://gms:8080", "token": "${DATAHUB_GMS_TOKEN}"},
    }
    found = server_of_variables(TOKEN)
    assert found is not None
    assert found.option == '"$DATAHUB_GMS_URL"'
    assert server_of_variables(NONE) is None
    with pytest.raises(RecipeError, match="must not hold a login") as caught:
        server_target(f"http://ada:{SECRET}@gms:8080", NONE)
    assert SECRET not in str(caught.value)


def test_the_server_of_datahubs_own_file_is_known_without_its_token(tmp_path: Path) -> None:
    path = tmp_path / ".datahubenv"
    assert configured_server(path) is None
    path.write_text(f"gms:\n  server: http://gms:8080\n  token: {SECRET}\n")
    target = server_of_datahub(configured_server(path))
    assert target is not None
    assert target.sink is None
    assert SECRET not in repr(target)
    assert "http://gms:8080" in target.shown


def test_a_key_in_an_address_is_refused() -> None:
    for text in (f"http://q?api_key={SECRET}", f"host=db password={SECRET}", f"//ada:{SECRET}@db"):
        with pytest.raises(RecipeError) as caught:
            check_address(text)
        assert SECRET not in str(caught.value)
    for text in ("http://q:6333", "./a@b", "https://q?api_key=${KEY}"):
        check_address(text)


@pytest.mark.parametrize("content", ["", "gms: [", "- a", "gms: {server: 1}", "gms: {server: file:///etc}"])
def test_another_content_of_that_file_is_no_server(content: str, tmp_path: Path) -> None:
    path = tmp_path / ".datahubenv"
    path.write_text(content)
    assert configured_server(path) is None
