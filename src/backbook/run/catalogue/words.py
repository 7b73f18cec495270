"""The words of the catalogue, Chinese and English side by side."""

from __future__ import annotations

from typing import Any

from backbook.outcome.figures import Text

TEXTS: dict[str, Text] = {
    "catalogue": Text("定义目录", "Catalogue"),
    "as_of": Text("业务日期", "as of"),
    "bundle": Text("定义包", "bundle"),
    "search": Text("按编号、名称、含义或表达式查找", "Find by id, name, meaning or expression"),
    "found": Text("条", "entries"),
    "more": Text("详情", "More"),
    "feature": Text("特征", "Features"),
    "tag": Text("标签", "Tags"),
    "segment": Text("客群", "Segments"),
    "score": Text("评分", "Scores"),
    "lookup": Text("码表", "Lookups"),
    "nothing": Text("没有定义", "none is defined"),
    "id": Text("编号", "Id"),
    "name": Text("名称", "Name"),
    "meaning": Text("含义", "Meaning"),
    "type": Text("类型", "Type"),
    "unit": Text("单位", "Unit"),
    "grain": Text("粒度", "Grain"),
    "rollup": Text("汇总到客户", "Roll-up"),
    "table": Text("来源表", "Table"),
    "made": Text("怎么算", "How it is made"),
    "measure": Text("度量", "Measure"),
    "of": Text("度量对象", "Of"),
    "filter": Text("条件", "Filter"),
    "window": Text("窗口", "Window"),
    "expression": Text("表达式", "Expression"),
    "read_by": Text("被谁使用", "Read by"),
    "reads": Text("使用", "Reads"),
    "owner": Text("负责", "Owner"),
    "origin": Text("来自", "From"),
    "known": Text("已知", "Known"),
    "not_known": Text("未知", "Not known"),
    "held": Text("成立", "Held"),
    "not_held": Text("不成立", "Not held"),
    "dimension": Text("维度", "Dimension"),
    "way": Text("生成方式", "Made by"),
    "confidence": Text("置信度", "Confidence"),
    "evidence": Text("依据特征", "Evidence"),
    "aim": Text("用途", "For"),
    "not_for": Text("不得用于", "Not for"),
    "refresh": Text("更新", "Refresh"),
    "expires_days": Text("有效天数", "Days good"),
    "personal": Text("个人标签", "Personal"),
    "level": Text("层级代码", "Level"),
    "level_name": Text("层级", "Level name"),
    "condition": Text("条件", "Condition"),
    "method": Text("方法", "Method"),
    "population": Text("适用人群", "Population"),
    "target": Text("目标", "Target"),
    "grades": Text("评级", "Grades"),
    "gives": Text("给出", "Gives"),
    "tables": Text("适用表", "Tables"),
    "codes": Text("代码", "Codes"),
}
# What stands in cells as a code, in words.
CELLS: dict[str, dict[Any, Text]] = {
    "grain": {"account": Text("账户", "account"), "customer": Text("客户", "customer"), "both": Text("账户与客户", "both")},
    "way": {"rule": Text("规则", "rule"), "statistic": Text("统计", "statistic"), "score": Text("评分", "score")},
    "personal": {True: Text("是", "yes"), False: Text("否", "no")},
    "aim": {
        "risk": Text("风险", "risk"), "marketing": Text("营销", "marketing"), "service": Text("服务", "service"),
        "both": Text("风险与营销", "risk and marketing"), "all": Text("各用途", "all uses"),
    },
    "method": {"scorecard": Text("评分卡", "scorecard"), "expression": Text("表达式", "expression")},
    "origin": {"workspace": Text("本行", "workspace")},
}  # fmt: skip


def text(key: str, language: str) -> str:
    """The words of a key; an unknown key is a fault of ours and stops."""
    return TEXTS[key].to(language)


def cell(column: str, value: Any, language: str) -> Any:
    """A cell in the reader's language; numbers stay numbers, and what is not said is empty.

    >>> cell("grain", "account", "zh"), cell("meaning", ("含义", "meaning"), "en"), cell("unit", None, "en")
    ('账户', 'meaning', '')
    """
    if isinstance(value, tuple):
        return Text(*value).to(language)
    if value in CELLS.get(column, {}):
        return CELLS[column][value].to(language)
    return "" if value is None else value
