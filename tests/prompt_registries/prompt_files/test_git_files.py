"""Versions and labels out of git: renames, merges, tags, branches, and repositories that are damaged or hostile."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from datahub.configuration.common import AllowDenyPattern
from dulwich.objects import Blob

from datahub_llmops.errors import UnreachableError, UnreadableError, VanishedError
from datahub_llmops.prompt_registries.prompt_files.files import MOST_BYTES, VersionedFile
from datahub_llmops.prompt_registries.prompt_files.git_files import GitFiles
from datahub_llmops.prompt_registries.prompt_files.git_folder import find_git_folder
from support.repositories import ADA, START, Repository

PATH = "support/answer.prompt"


def text(word: str) -> str:
    return f"You answer questions.\nBe polite, be brief, be right.\nSay {word}.\n"


def open_files(
    path: Path, *, branches: AllowDenyPattern | None = None, most: int = 10_000, branch: str | None = None
) -> GitFiles:
    found = find_git_folder(path)
    assert found is not None
    return GitFiles(
        *found,
        branch=branch,
        tag_pattern=AllowDenyPattern.allow_all(),
        branch_pattern=branches,
        most_commits=most,
        web_url="https://git.example/acme/prompts/blob",
    )


def versions(file: VersionedFile) -> list[tuple[str | None, tuple[str, ...]]]:
    return [(one.version, one.labels) for one in file.versions]


@pytest.mark.parametrize("bare", [True, False])
def test_a_version_is_a_commit_that_changed_the_file(tmp_path: Path, bare: bool) -> None:
    made = Repository(tmp_path / "prompts", bare=bare)
    first = made.commit({PATH: text("yes"), "README": "a"}, "Answer politely\n\nFor the new desk.")
    made.commit({PATH: text("yes"), "README": "b"}, "Other file")
    third = made.commit({PATH: text("no"), "README": "b"}, "Say no", author="Jonas <jonas@acme.example>")
    made.tag("v1", first)
    made.tag("v1.0", first, annotated=True)
    made.tag("docs", made.commit({PATH: text("no"), "README": "c"}, "Other file again"))
    file = open_files(tmp_path / "prompts").read(PATH)
    assert versions(file) == [(first[:12], ("v1", "v1.0")), (third[:12], ("docs", "main"))]
    one, two = file.versions
    assert (one.author, one.message) == (ADA, "Answer politely\n\nFor the new desk.")
    assert one.created == datetime.fromtimestamp(START, UTC)
    assert one.url == f"https://git.example/acme/prompts/blob/{first}/{PATH}"
    assert (two.author, two.content) == ("Jonas <jonas@acme.example>", text("no"))
    assert file.unknown_version is None


def test_renames_are_followed_with_and_without_a_change(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    first = made.commit({"answer.txt": text("yes")})
    second = made.commit({"old/answer.prompt": text("yes")})
    third = made.commit({PATH: text("yes, please")})
    made.commit({PATH: text("yes, please"), "answer.txt": "something else entirely, later"})
    made.tag("before", first)
    file = open_files(tmp_path).read(PATH)
    assert versions(file) == [(first[:12], ("before",)), (second[:12], ()), (third[:12], ("main",))]
    assert [one.path for one in file.versions] == ["answer.txt", "old/answer.prompt", PATH]


def test_a_merge_is_a_version_only_if_it_differs_from_both_sides(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    base = made.commit({PATH: text("a"), "b": "1"})
    made.branch("side", base)
    left = made.commit({PATH: text("left"), "b": "1"})
    right = made.commit({PATH: text("a"), "b": "2"}, branch="side")
    made.commit({PATH: text("left"), "b": "2"}, "clean merge", parents=[left, right])
    assert [one for one, _ in versions(open_files(tmp_path).read(PATH))] == [base[:12], left[:12]]
    evil = made.commit({PATH: text("both"), "b": "2"}, "conflict", parents=[left, right])
    assert versions(open_files(tmp_path).read(PATH))[-1] == (evil[:12], ("main",))


def test_a_label_of_a_text_that_came_back_is_on_the_version_of_its_time(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    first = made.commit({PATH: text("a")})
    second = made.commit({PATH: text("b")})
    third = made.commit({PATH: text("a")})
    made.tag("early", first)
    made.tag("middle", second)
    assert versions(open_files(tmp_path).read(PATH)) == [
        (first[:12], ("early",)),
        (second[:12], ("middle",)),
        (third[:12], ("main",)),
    ]


def test_other_branches_are_labels_if_the_recipe_wants_them(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    first = made.commit({PATH: text("a")})
    made.branch("production", first)
    second = made.commit({PATH: text("b")})
    made.branch("feature", second)
    wanted = AllowDenyPattern(allow=["production"])
    assert versions(open_files(tmp_path, branches=wanted).read(PATH)) == [
        (first[:12], ("production",)),
        (second[:12], ()),
    ]
    on_it = open_files(tmp_path, branch="production")
    assert versions(on_it.read(PATH)) == [(first[:12], ("production",))]
    with pytest.raises(UnreachableError, match="no branch 'gone'"):
        open_files(tmp_path, branch="gone")


def test_a_folder_of_the_work_tree_is_read_by_itself(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit({"a/x.prompt": "x", "b/y.prompt": "y"})
    (tmp_path / "a").mkdir()
    files = open_files(tmp_path / "a")
    assert files.paths() == ["x.prompt"]
    assert files.read("x.prompt").versions[0].content == "x"
    (tmp_path / "c").mkdir()
    with pytest.raises(UnreachableError, match="no file below 'c'"):
        open_files(tmp_path / "c")


def test_the_mark_changes_with_every_ref_and_not_otherwise(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    first = made.commit({PATH: text("a")})
    marks = [open_files(tmp_path).mark(), open_files(tmp_path).mark()]
    made.tag("v1", first)
    marks.append(open_files(tmp_path).mark())
    made.commit({PATH: text("b")})
    marks.append(open_files(tmp_path).mark())
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


def test_a_shallow_history_says_what_it_does_not_know(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit({PATH: text("a"), "other.prompt": "o"})
    cut = made.commit({PATH: text("b"), "other.prompt": "o"})
    third = made.commit({PATH: text("c"), "other.prompt": "o"})
    (tmp_path / ".git" / "shallow").write_text(f"{cut}\n")
    files = open_files(tmp_path)
    file = files.read(PATH)
    assert versions(file) == [(third[:12], ("main",))]
    assert file.unknown_version == cut[:12]
    assert versions(files.read("other.prompt")) == []
    assert open_files(tmp_path, most=1).read(PATH).unknown_version == cut[:12]


def test_damage_is_named_and_never_raw(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    first = made.commit({PATH: text("a")})
    second = made.commit({PATH: text("b")})
    loose = tmp_path / ".git" / "objects" / second[:2] / second[2:]
    whole = loose.read_bytes()
    loose.chmod(0o644)
    swapped = (tmp_path / ".git" / "objects" / first[:2] / first[2:]).read_bytes()
    for damaged in (b"", whole[:20], b"x" * len(whole), swapped):
        loose.write_bytes(damaged)
        with pytest.raises((UnreadableError, UnreachableError), match="git fsck"):
            open_files(tmp_path).read(PATH)
    loose.unlink()
    with pytest.raises((UnreadableError, UnreachableError), match="git fsck"):
        open_files(tmp_path)


def test_a_missing_text_of_an_old_version_is_no_fact_about_it(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit({PATH: text("a")})
    made.commit({PATH: text("b")})
    gone = Blob.from_string(text("a").encode()).id.decode()
    (tmp_path / ".git" / "objects" / gone[:2] / gone[2:]).unlink()
    first, second = open_files(tmp_path).read(PATH).versions
    assert (first.content, first.problem) == (None, None)
    assert "git fsck" in str(first.error)
    assert second.content == text("b")


def test_a_missing_old_commit_fails_the_history_and_not_the_listing(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    first = made.commit({PATH: text("a")})
    made.commit({PATH: text("b")})
    (tmp_path / ".git" / "objects" / first[:2] / first[2:]).unlink()
    files = open_files(tmp_path)
    assert files.paths() == [PATH]
    with pytest.raises(UnreadableError, match="its history"):
        files.read(PATH)


def test_a_hostile_repository_runs_nothing_and_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("planted-secret")
    made = Repository(tmp_path / "repo")
    commit = made.commit(
        {PATH: text("a"), ".gitattributes": "* filter=evil diff=evil"},
        links={"link.prompt": str(outside), "folder": "/etc"},
        submodules={"module": "1" * 40},
    )
    touched = tmp_path / "touched"
    (tmp_path / "repo" / ".git" / "config").write_text(
        f"[core]\n fsmonitor = touch {touched}\n hooksPath = {tmp_path}\n sshCommand = touch {touched}\n"
        f'[filter "evil"]\n clean = touch {touched}\n smudge = touch {touched}\n'
        f'[diff "evil"]\n textconv = touch {touched}\n[include]\n path = {outside}\n'
    )
    files = open_files(tmp_path / "repo")
    assert files.paths() == [".gitattributes", PATH]
    assert list(files.skipped()) == ["module"]
    assert versions(files.read(PATH)) == [(commit[:12], ("main",))]
    for path in ("link.prompt", "folder/passwd", "../outside", "/etc/passwd", "module/x", ""):
        with pytest.raises(VanishedError):
            files.read(path)
    assert not touched.exists()


def test_a_git_folder_elsewhere_is_refused(tmp_path: Path) -> None:
    made = Repository(tmp_path / "real")
    made.commit({PATH: text("a")})
    for name in ("linked", "symbolic"):
        (tmp_path / name).mkdir()
    (tmp_path / "linked" / ".git").write_text(f"gitdir: {tmp_path / 'real' / '.git'}\n")
    (tmp_path / "symbolic" / ".git").symlink_to(tmp_path / "real" / ".git")
    for name in ("linked", "symbolic"):
        with pytest.raises(UnreachableError, match="somewhere else"):
            open_files(tmp_path / name)


def test_a_repository_without_a_commit_says_so(tmp_path: Path) -> None:
    Repository(tmp_path)
    with pytest.raises(UnreachableError, match="no commit yet"):
        open_files(tmp_path)


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit({PATH: "x" * (MOST_BYTES + 1)})
    made.commit({PATH: text("small again")})
    first, second = open_files(tmp_path).read(PATH).versions
    assert first.content is None
    assert "more than" in (first.problem or "")
    assert second.content == text("small again")
    made.commit({PATH: b"\xff\xfe"})
    assert "UTF-8" in (open_files(tmp_path).read(PATH).versions[-1].problem or "")
