"""Settings: what a bank writes in backbook.toml, and how a mistake in it is told."""

from __future__ import annotations

import pytest

from backbook.errors import BadDefinition, NotAllowed
from backbook.workspace import Workspace, read_settings


def faults(text: str) -> list[str]:
    return [str(fault) for fault in read_settings(text)[1]]


def test_an_empty_file_is_a_workspace_with_defaults():
    settings, wrong = read_settings("")
    assert not wrong
    assert (settings.currency, settings.language, settings.reject_share) == ("CNY", "zh", 0.01)


def test_a_misspelt_setting_is_told_with_its_line_and_the_possible_ones():
    told = faults('[book]\nname = "x"\nlangage = "zh"\n')
    assert told == [
        "backbook.toml:3: 'langage' is not known in [book]. Possible: currency, language, name, name_zh, timezone."
    ]


def test_an_unknown_section_is_told():
    assert faults("[bok]\n") == [
        "backbook.toml:1: [bok] is not known. Possible: book, packs, load, engine, identity, inputs."
    ]


def test_all_wrong_values_are_told_together():
    told = faults('[book]\nlanguage = "fr"\ntimezone = "Mars"\n[load]\nreject_share = 2\n[engine]\nthreads = 0\n')
    assert [line.split(":")[1] for line in told] == ["3", "2", "5", "7"]


def test_a_pack_pinned_to_another_version_is_refused():
    told = faults('[packs]\ncard = "99"\n')
    assert "pins pack 'card' to version 99" in told[0]


def test_a_pack_that_is_not_there_is_refused_with_those_that_are():
    assert faults('[packs]\ncrad = "1"\n') == ["backbook.toml:2: there is no pack 'crad'. Possible: card."]


def test_text_that_is_no_toml_is_told_with_its_line():
    assert faults("[book\n")[0].startswith("backbook.toml:1: is not TOML")


def test_a_folder_without_settings_is_no_workspace(tmp_path):
    with pytest.raises(BadDefinition, match="backbook init"):
        Workspace.open(tmp_path)


def test_leaving_out_what_the_pack_does_not_have_is_a_fault(tmp_path):
    (tmp_path / "backbook.toml").write_text('[packs.card]\nversion = "1"\nleave_out = ["tag:no_such"]\n')
    assert "leaves out 'tag:no_such'" in str(Workspace.open(tmp_path).faults()[0])


def test_a_left_out_item_is_gone(tmp_path):
    (tmp_path / "backbook.toml").write_text('[packs.card]\nversion = "1"\nleave_out = ["score:value"]\n')
    assert "value" not in {item.id for item in Workspace.open(tmp_path).items("score")}


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    (tmp_path / "backbook.toml").write_text("")
    key = Workspace.open(tmp_path).key
    assert len(key) == 32
    assert Workspace.open(tmp_path).key == key
    assert (tmp_path / "backbook.key").stat().st_mode & 0o077 == 0


def test_a_lost_key_is_never_replaced_once_a_lake_stands_on_it(tmp_path):
    (tmp_path / "backbook.toml").write_text("")
    workspace = Workspace.open(tmp_path)
    with workspace.lake.lock("load") as writer:
        writer.document("run", "one", b"{}")
        writer.publish(about={})
    with pytest.raises(NotAllowed, match="key file"):
        assert workspace.key


def test_a_key_that_is_none_is_refused(tmp_path):
    (tmp_path / "backbook.toml").write_text("")
    (tmp_path / "backbook.key").write_text("secret")
    with pytest.raises(NotAllowed, match="64 hexadecimal"):
        assert Workspace.open(tmp_path).key
