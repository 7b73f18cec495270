"""Definitions: items know their lines, a workspace's item replaces the pack's, faults of form are told."""

from __future__ import annotations

from backbook.definitions import read_items, read_mappings
from backbook.workspace import Workspace

TWO = """\
tags:
  - id: first
    zh: 一
    en: One
    expression: utilisation > 0.5
  - id: second
    zh: 二
    en: Two
"""


def written(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return folder


def test_an_item_knows_the_line_of_every_key(tmp_path):
    items, faults = read_items(written(tmp_path, "tags.yaml", TWO), "workspace")
    assert not faults
    assert [item.line() for item in items] == [2, 6]
    assert items[0].line("expression") == 5
    assert str(items[0].fault("expression", "reads nothing.")) == "tags.yaml:5: tag 'first': reads nothing."


def test_a_path_below_a_key_falls_back_to_the_key(tmp_path):
    items, _ = read_items(written(tmp_path, "tags.yaml", TWO), "workspace")
    assert items[1].line("zh.not.there") == 7


def test_broken_yaml_is_told_with_its_line(tmp_path):
    _, faults = read_items(written(tmp_path, "tags.yaml", "tags:\n  - id: a\n   zh: b\n"), "workspace")
    assert str(faults[0]).startswith("tags.yaml:3: is not YAML")


def test_an_id_twice_is_told_with_both_places(tmp_path):
    _, faults = read_items(written(tmp_path, "tags.yaml", TWO.replace("second", "first")), "workspace")
    assert "stands already in tags.yaml:2" in str(faults[0])


def test_an_id_that_is_no_name_is_told(tmp_path):
    _, faults = read_items(written(tmp_path, "tags.yaml", "tags:\n  - id: Ärger\n"), "workspace")
    assert "starts with a letter" in str(faults[0])


def test_another_key_beside_the_list_is_told(tmp_path):
    _, faults = read_items(written(tmp_path, "tags.yaml", TWO + "tagz: []\n"), "workspace")
    assert "'tagz' is not read here" in str(faults[0])


def test_a_file_that_is_not_utf8_is_told(tmp_path):
    (tmp_path / "tags.yaml").write_bytes("tags: 标签".encode("gbk"))
    _, faults = read_items(tmp_path, "workspace")
    assert "Save the file as UTF-8" in str(faults[0])


def test_the_workspace_replaces_a_whole_item_of_the_pack(tmp_path):
    written(tmp_path, "backbook.toml", '[packs]\ncard = "1"\n')
    pack = Workspace.open(tmp_path).items("tag")
    written(tmp_path, "tags.yaml", f"tags:\n  - id: {pack[0].id}\n    zh: 我的\n    en: Mine\n")
    workspace = Workspace.open(tmp_path)
    mine = next(item for item in workspace.items("tag") if item.id == pack[0].id)
    assert mine.data == {"id": pack[0].id, "zh": "我的", "en": "Mine"}
    assert len(workspace.items("tag")) == len(pack)
    assert [(was.file, own.file) for was, own in workspace.replacements()] == [(pack[0].file, "tags.yaml")]


def test_mappings_are_stacked_by_table_and_name(tmp_path):
    written(tmp_path, "sources/party.app.sql", "select 1")
    written(tmp_path, "sources/party.core.sql", "select 2")
    written(tmp_path, "sources/account.sql", "select 3")
    mappings, faults = read_mappings(tmp_path)
    assert not faults
    assert [(each.table, each.name) for each in mappings] == [("account", "main"), ("party", "app"), ("party", "core")]
