"""What the local cloud saves about the reviewer, and who can read that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployment.errors import UserError
from local import reviewer

EXPORT = {"url": "https://example.org", "user": "reviewer", "password": "initial"}


def test_the_export_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    reviewer.save(tmp_path, EXPORT)
    assert reviewer.load(tmp_path) == EXPORT
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_others_can_read_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / reviewer.FILE).write_text("{}")
    (tmp_path / reviewer.FILE).chmod(0o644)
    reviewer.save(tmp_path, EXPORT)
    assert (tmp_path / reviewer.FILE).stat().st_mode & 0o077 == 0


def test_without_a_reviewer_nothing_is_kept(tmp_path: Path) -> None:
    reviewer.save(tmp_path, EXPORT)
    reviewer.save(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
    assert reviewer.load(tmp_path) == {}


def test_it_is_shown_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reviewer.save(tmp_path, EXPORT)
    assert reviewer.show(tmp_path) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "open nothing without a real account" in shown.pop("note")
    assert shown == EXPORT


def test_where_there_is_none_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"make up CONFIG=.reviewer=user."):
        reviewer.show(tmp_path)
