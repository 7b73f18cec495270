"""A model card in words: its sections, each of blocks with a table, a picture or a line, in one language.

Every limit that it names follows from the version's own figures. The words of both languages stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backbook.outcome.figures import Text
from backbook.outcome.numbers import UNKNOWN, number, share
from backbook.run.scores.card import Card
from backbook.score import fairness
from backbook.score.definition import RULES, TREES, TWO_STAGE
from backbook.score.stability import HAS_TURNED, TELLS_DATES

STATUSES = {
    "champion": Text("在用", "champion"),
    "candidate": Text("候选", "candidate"),
    "retired": Text("停用", "retired"),
}
METHODS = {
    "scorecard": Text("评分卡", "scorecard"),
    TREES: Text("树模型（梯度提升）", "trees (gradient boosting)"),
    RULES: Text("预警规则", "warning rules"),
    TWO_STAGE: Text("两阶段", "two stages"),
    "expression": Text("表达式", "expression"),
}
PURPOSES = {
    "risk": Text("风险", "risk"),
    "marketing": Text("营销", "marketing"),
    "both": Text("风险与营销", "risk and marketing"),
}
GRAINS = {"account": Text("账户", "account"), "customer": Text("客户", "customer")}
# Where a definition does not say what it is not for, its purpose does.
NOT_FOR = {
    "risk": Text(
        "不得用于营销名单、员工考核或对外提供", "choosing whom to sell to, judging staff, or passing on to others"
    ),
    "marketing": Text("不得用于授信、额度、定价或催收决策", "decisions on credit, limits, prices or collection"),
    "both": Text("不得用于员工考核或对外提供", "judging staff, or passing on to others"),
}
VERDICTS = {
    fairness.REFERENCE: Text("对照组", "reference"),
    fairness.PASS: Text("不低于五分之四", "not below four fifths"),
    fairness.FLAG: Text("显著低于五分之四", "FLAG: below four fifths, and not by chance"),
    fairness.UNSURE: Text("低于五分之四，可能出于偶然", "below four fifths, may be chance"),
    fairness.TOO_FEW: Text("数据不足", "not enough data"),
}
WHY = {
    "the same for all": "所有样本取值相同",
    "little information": "信息量不足",
    "against its own bins beside the others": "与其他特征并用时方向相反",
    "adds hardly anything beside the others": "与其他特征并用时几乎无增量",
    "no tree asks for it": "没有任何树用到",
    TELLS_DATES: "只区分观察日，几乎不区分同日客户",
    HAS_TURNED: "作用方向在前后观察日之间反转",
}
# A limit is named from here on: events; AUC and KS that look like a leak; the spread of folds; what is lost out of time;
# the calibration error; the share of one characteristic in all information.
FEW_EVENTS, SUSPECT_AUC, SUSPECT_KS, WIDE_FOLDS, LOST_LATER, LOOSE, HEAVY = 300, 0.90, 0.75, 0.04, 0.03, 0.02, 0.5
MOST_BESIDE, MOST_DRAWN = 5, 20


@dataclass(frozen=True)
class Table:
    """Heads and cells as they are written; numbers stand to the right in the columns of `numeric`."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Block:
    title: str
    table: Table | None = None
    # id of a chart, and the rows that it draws
    chart: tuple[str, Sequence[Mapping[str, Any]]] | None = None
    note: str = ""
    needs: str = ""
    folded: bool = False

    @property
    def beside(self) -> bool:
        """Whether the table is narrow enough to stand beside the picture."""
        return self.chart is not None and self.table is not None and len(self.table.heads) < MOST_BESIDE


@dataclass(frozen=True)
class Section:
    """`figures` are numbers to see at once, `facts` a list of what and its words, `lines` plain sentences."""

    id: str
    title: str
    blocks: Sequence[Block] = ()
    facts: Sequence[tuple[str, str]] = ()
    lines: Sequence[str] = ()
    figures: Sequence[tuple[str, str]] = ()


class Writing:
    """One card on its way into the words of one language."""

    def __init__(self, card: Card, language: str) -> None:
        self.card, self.language = card, language
        self.content = card.version.content
        self.quality: Mapping[str, Any] = self.content.get("quality") or {}
        self.names = {name.name: name.zh if language == "zh" else name.en for name in card.version.columns}

    def say(self, zh: str, en: str) -> str:
        return zh if self.language == "zh" else en

    def text(self, words: Mapping[str, Text], key: str) -> str:
        return words[key].to(self.language) if key in words else key

    def either(self, pair: Mapping[str, Any] | None) -> str:
        return str((pair or {}).get(self.language) or "")

    def share(self, value: Any) -> str:
        return share(value, self.language)

    def number(self, value: Any, places: int = 4) -> str:
        return number(value, self.language, places)

    def count(self, value: Any) -> str:
        return UNKNOWN if value is None else f"{value:,}"

    def between(self, low: Any, high: Any) -> str:
        return UNKNOWN if low is None else f"{self.share(low)} – {self.share(high)}"

    def feature(self, id: str) -> str:
        named = self.names.get(id)
        return f"{named} `{id}`" if named else f"`{id}`"

    def sections(self) -> list[Section]:
        """All of the card, in its order; what the method or the book does not have is not there or says so."""
        found = [
            self.use(),
            self.data(),
            self.performance(),
            self.parts(),
            self.reasons(),
            self.fair(),
            self.limits(),
            self.life(),
        ]
        return [section for section in found if section is not None]

    # ── what it is for ──────────────────────────────────────────────────────────────────────────────────

    def use(self) -> Section:
        say, defined, content = self.say, self.card.defined, self.content
        purpose = str(defined.get("purpose") or "risk")
        not_for = self.either(defined.get("not_for")) or self.text(NOT_FOR, purpose)
        facts = [
            (say("含义", "Meaning"), self.either(defined.get("meaning")) or UNKNOWN),
            (say("用途", "To be used for"), self.text(PURPOSES, purpose)),
            (say("禁止用途", "Not to be used for"), not_for),
            (say("负责人", "Owner"), str(defined.get("owner") or UNKNOWN)),
            (say("对象", "Of each"), self.text(GRAINS, content["grain"])),
            (say("方法", "Method"), self.text(METHODS, content["method"])),
            (
                say("评分客群", "Who is scored"),
                f"`{content['population']}`" if content["population"] else say("全部", "everybody"),
            ),
        ]
        if "target" in defined:
            facts += self._target()
        if "expression" in defined:
            facts.append((say("表达式", "Expression"), f"`{defined['expression']}`"))
        grades = Table(
            [say("评级", "Grade"), say("名称", "Name"), say("上限（含）", "Up to")],
            [[grade["code"], grade[self.language], UNKNOWN if grade["up_to"] is None else f"{grade['up_to']:g}"] for grade in content["grades"]],
            frozenset({2}),
        )  # fmt: skip
        title = say("评级按概率划分", "Grades, by chance") if self.quality else say("评级", "Grades")
        return Section("use", say("用途与定义", "Purpose and definition"), [Block(title, grades)], facts)

    def _target(self) -> list[tuple[str, str]]:
        say, defined = self.say, self.card.defined
        facts = [(say("目标", "Target"), self._with_words(defined["target"]))]
        if "first" in defined:
            facts.append((say("第一阶段", "First stage"), self._with_words(defined["first"])))
        if "indeterminate" in defined:
            facts.append(
                (
                    say("不确定样本（不参与训练）", "Indeterminate, teach nothing"),
                    self._with_words(defined["indeterminate"]),
                )
            )
        if "exclusions" in defined:
            facts.append((say("训练剔除（仍评分）", "Scored, but teach nothing"), f"`{defined['exclusions']}`"))
        gap = defined.get("gap_months") or 0
        told = say(f"至少 {gap} 个月", f"at least {gap} months") if gap else say("未设", "none asked for")
        facts.append((say("观察与表现之间的间隔", "Gap between observation and outcome"), told))
        return facts

    def _with_words(self, text: str) -> str:
        read = [words.to(self.language) for name, words in self.card.outcomes.items() if name in text]
        joined = "、".join(read) if self.language == "zh" else ", ".join(read)
        return f"`{text}`" + (f"（{joined}）" if read and self.language == "zh" else f" ({joined})" if read else "")

    # ── from what it was learned ────────────────────────────────────────────────────────────────────────

    def data(self) -> Section | None:
        say, sample = self.say, self.content.get("sample") or {}
        hashes = [
            (say("定义哈希", "Hash of the definition"), f"`{self.card.version.definition}`"),
            *([(say("数据哈希", "Hash of the rows"), f"`{sample['data']}`")] if "data" in sample else []),
            *([(say("折的种子", "Seed of the folds"), f"`{sample['folds_salt']}`")] if "folds_salt" in sample else []),
            (say("程序库", "Libraries"), ", ".join(f"{name} {version}" for name, version in sorted((self.content.get("libraries") or {}).items())) or UNKNOWN),
        ]  # fmt: skip
        if "waterfall" not in sample:
            return Section("data", say("数据", "Data"), facts=hashes)
        days = Table(
            [say("观察日", "Observed on"), say("表现期止于", "Outcomes until"), say("样本数", "Rows"), say("目标事件", "Events"), say("事件率", "Rate")],
            [[day, end, self.count(row.get("rows")), self.count(row.get("events")),
              self.share(row["events"] / row["rows"] if row.get("rows") else None)]
             for day, end, row in zip(sample["observed_on"], sample["outcomes_end"], self._by_date(sample), strict=True)],
            frozenset({2, 3, 4}),
        )  # fmt: skip
        steps = Table(
            [say("步骤", "Step"), say("剩余", "Left")],
            [[step[self.language], self.count(step["rows"])] for step in sample["waterfall"]],
            frozenset({1}),
        )
        facts = [
            (say("数据截至", "Known by"), str(sample["as_of"])),
            (say("样本数", "Rows"), self.count(sample["rows"])),
            (say("目标事件", "Events"), f"{self.count(sample['events'])}（{self.share(sample['events'] / sample['rows'])}）" if self.language == "zh"
             else f"{self.count(sample['events'])} ({self.share(sample['events'] / sample['rows'])})"),
            (say("备选特征", "Features offered"), self.count(len(self.content.get("features") or [])) if "features" in self.content else UNKNOWN),
            *hashes,
        ]  # fmt: skip
        return Section(
            "data",
            say("数据", "Data"),
            [
                Block(say("样本如何得出", "How the sample came about"), steps),
                Block(say("观察日与表现期", "Days and windows"), days),
            ],
            facts,
        )

    def _by_date(self, sample: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        told = {row["observed_on"]: row for row in self.quality.get("by_date", ())}
        return [told.get(day, {}) for day in sample["observed_on"]]

    # ── how good it is ──────────────────────────────────────────────────────────────────────────────────

    def performance(self) -> Section | None:
        say, quality = self.say, self.quality
        if "auc" not in quality and self.card.on_rows is None:
            return None
        facts = [
            (label, self.number(quality.get(key)))
            for label, key in (("AUC", "auc"), ("KS", "ks"), (say("基尼系数", "Gini"), "gini"), (say("校准误差", "Calibration error"), "calibration_error"), ("Brier", "brier"))
            if quality.get(key) is not None
        ]  # fmt: skip
        blocks: list[Block] = []
        bands = quality.get("bands") or []
        if bands:
            note = say(
                "每一样本由未见过它的模型评分（折外）",
                "Every row is judged by a fit that had not seen it (out of fold).",
            )
            blocks.append(
                Block(
                    say("校准：预测与实际", "Calibration: expected and observed"),
                    self._bands(bands),
                    ("calibration", self._numbered(bands)),
                    note,
                )
            )
            blocks.append(Block(say("增益：风险最高者中占多少事件", "Gains: the share of events among those of the highest chance"), None, ("gains", self.gains(bands))))  # fmt: skip
        if quality.get("one_stage"):
            blocks.append(self._one_stage())
        blocks += [self._folds()] if quality.get("by_fold") else []
        blocks += [self._dates()] if quality.get("by_date") else []
        blocks += [self._out_of_time()] if "bands" in quality else []
        blocks += self._on_rows()
        return Section("performance", say("表现", "Performance"), blocks, figures=facts)

    def _bands(self, bands: Sequence[Mapping[str, Any]]) -> Table:
        say = self.say
        return Table(
            [say("分段", "Band"), say("样本数", "Rows"), say("预测", "Expected"), say("实际", "Observed")],
            [[str(n), self.count(row["rows"]), self.share(row["expected"]), self.share(row["observed"])] for n, row in enumerate(bands, 1)],
            frozenset({1, 2, 3}),
        )  # fmt: skip

    def _numbered(self, bands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{"band": n, **row} for n, row in enumerate(bands, 1)]

    def gains(self, bands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Shares of rows and of events, from the highest band on."""
        rows, events = sum(band["rows"] for band in bands), sum(band["rows"] * band["observed"] for band in bands)
        found, seen, caught = [{"rows": 0.0, "events": 0.0}], 0.0, 0.0
        for band in sorted(bands, key=lambda band: -band["expected"]):
            seen, caught = seen + band["rows"], caught + band["rows"] * band["observed"]
            found.append({"rows": seen / rows, "events": caught / events if events else 0.0})
        return found

    def _one_stage(self) -> Block:
        say, one = self.say, self.quality["one_stage"]
        rows = [
            [label, self.number(self.quality.get(key)), self.number(one.get(key))]
            for label, key in (("AUC", "auc"), ("KS", "ks"), ("Brier", "brier"), (say("校准误差", "Calibration error"), "calibration_error"))
        ]  # fmt: skip
        return Block(
            say("两阶段与一阶段", "Two stages against one"),
            Table(["", say("两阶段", "Two stages"), say("一阶段", "One stage")], rows, frozenset({1, 2})),
        )

    def _folds(self) -> Block:
        say, folds = self.say, self.quality["by_fold"]
        table = Table(
            [say("折", "Fold"), "AUC"], [[str(n), self.number(area)] for n, area in enumerate(folds, 1)], frozenset({1})
        )
        return Block(say("按折", "By fold"), table, folded=True)

    def _dates(self) -> Block:
        say = self.say
        rows = [
            [row["observed_on"], self.count(row["rows"]), self.count(row["events"]), self.share(row["events"] / row["rows"] if row["rows"] else None),
             self.share(row["expected"] / row["rows"] if row.get("expected") is not None and row["rows"] else None), self.number(row["auc"])]
            for row in self.quality["by_date"]
        ]  # fmt: skip
        heads = [
            say("观察日", "Observed on"),
            say("样本数", "Rows"),
            say("事件", "Events"),
            say("实际", "Observed"),
            say("预测", "Expected"),
            "AUC",
        ]
        return Block(say("按观察日", "By date"), Table(heads, rows, frozenset(range(1, 6))))

    def _out_of_time(self) -> Block:
        say, found = self.say, self.quality.get("out_of_time")
        title = say("时间外（较早各日训练，最后一日检验）", "Out of time: taught on earlier dates, judged on the last")
        if not found:
            return Block(
                title,
                needs=say(
                    "没有：需要至少两个观察日，且两侧事件足够",
                    "not available: needs two dates or more, with events enough on both sides",
                ),
            )
        rows = [
            [say("观察日", "Observed on"), found["observed_on"]],
            [say("样本数 / 事件", "Rows / events"), f"{self.count(found['rows'])} / {self.count(found['events'])}"],
            ["AUC", self.number(found["auc"])],
            ["KS", self.number(found["ks"])],
            [say("校准误差", "Calibration error"), self.number(found.get("calibration_error"))],
        ]
        return Block(title, Table(["", ""], rows, frozenset({1})))

    def _on_rows(self) -> list[Block]:
        say, on = self.say, self.card.on_rows
        if on is None:
            return [
                Block(
                    say("按评级与客群", "By grade and segment"),
                    needs=say("没有：需要 ", "not available: needs ") + self.card.needs,
                )
            ]
        note = (
            say(f"{on.day} 的 {on.rows:,} 个样本，晚于训练，模型未见过", f"{on.rows:,} rows of {on.day}, later than those that taught: the version had not seen them.")
            if on.later
            else say(f"{on.day} 的 {on.rows:,} 个样本，模型由它们训练，结果偏乐观", f"{on.rows:,} rows of {on.day}, which taught the version: these figures flatter it.")
        )  # fmt: skip
        known = [row for row in on.grades if row["observed"] is not None and row["expected"] is not None]
        drawn = [
            {"grade": row["code"], **{key: row[key] for key in ("expected", "observed", "low", "high")}}
            for row in known
        ]
        blocks = [
            Block(
                say("按评级", "By grade"),
                self._levels(on.grades, say("评级", "Grade"), "name"),
                ("grades", drawn) if drawn else None,
                note,
            )
        ]
        for group in on.segments:
            blocks.append(Block(say("按", "By ") + group["name"].to(self.language), self._levels(group["rows"], group["name"].to(self.language), "level"), folded=True))  # fmt: skip
        return blocks

    def _levels(self, rows: Sequence[Mapping[str, Any]], head: str, key: str) -> Table:
        say = self.say
        few = self.text(VERDICTS, fairness.TOO_FEW)
        return Table(
            [head, say("样本数", "Rows"), say("事件", "Events"), say("预测", "Expected"), say("实际", "Observed"), say("95% 区间", "95 % interval"), "AUC"],
            [[row[key].to(self.language), self.count(row["rows"]), self.count(row["events"]), self.share(row["expected"]),
              few if row["observed"] is None else self.share(row["observed"]), self.between(row["low"], row["high"]), self.number(row["auc"], 3)]
             for row in rows],
            frozenset(range(1, 7)),
        )  # fmt: skip

    # ── what it is made of ──────────────────────────────────────────────────────────────────────────────

    def parts(self) -> Section | None:
        say, content = self.say, self.content
        blocks: list[Block] = []
        if "card" in content:
            blocks += self._card(content["card"], "", "")
        for stage, found in content.get("stages", {}).items():
            title = say("第一阶段", "First stage") if stage == "first" else say("第二阶段", "Second stage")
            blocks += self._card(found, f".{stage}", f"{title} · ")
        if "trees" in content:
            blocks += self._trees()
        if "rules" in content:
            blocks += self._rules()
        if content.get("bought"):
            blocks.append(self._bought())
        left = [*content.get("left_out", ()), *content.get("card", {}).get("left_out", ())]
        left += [row for stage in content.get("stages", {}).values() for row in stage.get("left_out", ())]
        if left:
            rows = [[self.feature(row["feature"]), self._why(row["why"])] for row in left]
            blocks.append(Block(say(f"未采用的特征（{len(rows)}）", f"Left out, and why ({len(rows)})"), Table([say("特征", "Feature"), say("原因", "Why")], rows), folded=True))  # fmt: skip
        return Section("parts", say("构成", "What it is made of"), blocks) if blocks else None

    def _bought(self) -> Block:
        """What each vendor's score adds, and what the bank paid for such scores in a year."""
        say = self.say
        rows = [
            [self.feature(one["feature"]), self.share(one["known"]), self.number(one["auc_without"], 4), self.number(one["adds"], 4)]
            for one in self.content["bought"]
        ]  # fmt: skip
        heads = [
            say("外购特征", "Bought feature"),
            say("已知占比", "Known for"),
            say("不用它的 AUC", "AUC without it"),
            say("增量", "It adds"),
        ]
        paid = self.card.paid
        note = "" if paid is None else say(
            f"截至 {paid.until} 的一年内共购买 {paid.records:,} 条三方分，费用 {paid.amount:,}。",
            f"In the year to {paid.until} the bank bought {paid.records:,} scores of vendors for {paid.amount:,}.",
        )  # fmt: skip
        return Block(say("三方分的价值", "What bought scores add"), Table(heads, rows, frozenset({1, 2, 3})), note=note)

    def _why(self, why: str) -> str:
        if self.language == "en":
            return why
        twin = why.removeprefix("says what ").removesuffix(" says")
        return f"与 {self.feature(twin)} 信息重复" if twin != why else WHY.get(why, why)

    def _card(self, card: Mapping[str, Any], stage: str, prefix: str) -> list[Block]:
        say = self.say
        ordered = sorted(card["characteristics"], key=lambda one: -one["information"])
        drawn = [
            {"feature": self.names.get(one["name"], one["name"]), "information": one["information"]} for one in ordered
        ]
        rows = [
            [self.feature(one["name"]), self.number(one["information"], 3), self._direction(one["direction"]), self.number(one["coefficient"], 3),
             str(max(bin["points"] for bin in one["bins"]))]
            for one in ordered
        ]  # fmt: skip
        heads = [
            say("特征", "Characteristic"),
            say("信息值", "Information value"),
            say("方向", "Direction"),
            say("系数", "Coefficient"),
            say("最高分", "Most points"),
        ]
        blocks = [Block(
            prefix + say("特征", "Characteristics"), Table(heads, rows, frozenset({1, 3, 4})), ("information", drawn),
            say(f"起始分 {card['start']}；总分为起始分与各项得分之和", f"Start {card['start']}; a customer's points are the start and the points of each characteristic."),
        )]  # fmt: skip
        for one in ordered:
            blocks.append(
                Block(f"{prefix}{self.names.get(one['name'], one['name'])}", self._bins(one, stage), folded=True)
            )
        return blocks

    def _direction(self, direction: str) -> str:
        words = {"up": Text("越高风险越高", "more, likelier"), "down": Text("越高风险越低", "more, less likely")}
        return self.text(words, direction)

    def _bins(self, one: Mapping[str, Any], stage: str) -> Table:
        say = self.say
        rows = []
        for place, bin in enumerate(one["bins"]):
            rows_in = bin["events"] + bin["others"]
            rows.append([
                self.card.version.reason(f"{one['name']}:{place + 1}{stage}", self.language), str(bin["points"]), self.count(rows_in),
                self.count(bin["events"]), self.share(bin["events"] / rows_in if rows_in else None), self.number(bin["evidence"], 3),
            ])  # fmt: skip
        heads = [
            say("分箱", "Bin"),
            say("得分", "Points"),
            say("样本数", "Rows"),
            say("事件", "Events"),
            say("事件率", "Rate"),
            say("证据权重", "Weight of evidence"),
        ]
        return Table(heads, rows, frozenset(range(1, 6)))

    def _trees(self) -> list[Block]:
        say, content = self.say, self.content
        grown = content.get("grown", {})
        words = {
            "leaves": Text("每棵叶数", "leaves a tree"),
            "rounds": Text("棵数", "trees"),
            "columns": Text("列抽样", "share of columns"),
        }
        facts = [[self.text(words, key), f"{value:g}"] for key, value in grown.items()]
        blocks = [Block(say("生长", "How they grew"), Table(["", ""], facts, frozenset({1})))]
        found = self.card.on_rows.moved if self.card.on_rows else []
        if found:
            drawn = [
                {"feature": self.names.get(row["feature"], row["feature"]), "information": row["size"]}
                for row in found[:MOST_DRAWN]
            ]
            rows = [
                [self.feature(row["feature"]), self.number(row["size"], 4), self._standings(row["standings"])]
                for row in found
            ]
            heads = [
                say("特征", "Feature"),
                say("平均绝对贡献", "Mean absolute contribution"),
                say("取值所处位置与平均贡献", "Where its values stand, and the mean contribution there"),
            ]
            note = say(
                "贡献以对数优势计，正数提高概率", "Contributions are in log odds; above zero they raise the chance."
            )
            blocks.append(
                Block(
                    say("重要性与方向", "Importance and direction"),
                    Table(heads, rows, frozenset({1})),
                    ("information", drawn),
                    note,
                )
            )
        return blocks

    def _standings(self, standings: Sequence[Mapping[str, Any]]) -> str:
        return "; ".join(
            f"{self.card.version.reason(each['code'], self.language)} {each['mean']:+.3f}" for each in standings
        )

    def _rules(self) -> list[Block]:
        say, rules = self.say, self.content["rules"]
        heads = [
            say("规则", "Rule"),
            say("含义", "Meaning"),
            say("命中", "Hits"),
            say("命中率", "Hit rate"),
            say("准确率", "Precision"),
            say("95% 区间", "95 % interval"),
            say("提升", "Lift"),
            say("新增命中", "New hits"),
        ]
        rows = [
            [f"`{rule['code']}`", f"{rule[self.language]} — `{rule['text']}`", self.count(rule["hits"]), self.share(rule["hit_rate"]),
             self.share(rule["precision"]), self.between(rule["low"], rule["high"]), self.number(rule["lift"], 1), self.count(rule["added_hits"])]
            for rule in rules
        ]  # fmt: skip
        blocks = [
            Block(
                say("规则", "Rules"),
                Table(heads, rows, frozenset(range(2, 8))),
                note=say("由未参与训练的人与日期检验", "Counted on people and on a date that did not teach them."),
            )
        ]
        for rule in rules:
            dated = [
                [
                    row["observed_on"],
                    self.count(row["rows"]),
                    self.count(row["hits"]),
                    self.share(row["hit_rate"]),
                    self.share(row["precision"]) if row["hits"] else UNKNOWN,
                ]
                for row in rule["by_date"]
            ]
            heads = [
                say("观察日", "Observed on"),
                say("样本数", "Rows"),
                say("命中", "Hits"),
                say("命中率", "Hit rate"),
                say("准确率", "Precision"),
            ]
            blocks.append(
                Block(
                    f"{rule['code']} · {rule[self.language]}", Table(heads, dated, frozenset(range(1, 5))), folded=True
                )
            )
        return blocks

    def reasons(self) -> Section | None:
        say, listed = self.say, self.content.get("reasons") or []
        if not listed:
            return None
        rows = [[f"`{each['code']}`", each["zh"], each["en"]] for each in listed]
        table = Table([say("代码", "Code"), "中文", "English"], rows)
        return Section(
            "reasons",
            say("原因", "Reasons"),
            [Block(say(f"全部原因代码（{len(rows)}）", f"All reason codes ({len(rows)})"), table, folded=True)],
        )

    # ── whether it is fair ──────────────────────────────────────────────────────────────────────────────

    def fair(self) -> Section:
        say, on = self.say, self.card.on_rows
        title = say("公平性", "Fairness")
        if on is None:
            return Section(
                "fairness", title, [Block(title, needs=say("没有：需要 ", "not available: needs ") + self.card.needs)]
            )
        found = on.fairness
        good = ", ".join(found["favourable"])
        line = say(
            f"有利评级：{good}。对照组是占比不低于 2% 的各组中有利率最高者；某组与它之比低于 0.80、差异显著（p < 0.05）、两组均不少于 30 个样本时标记。受保护信息仅用于本项检查。",
            f"Favourable grades: {good}. The reference is the group with the highest rate among those of 2 % of the units or more; another is flagged where its rate is below 0.80 of that, p < 0.05, and both have 30 units or more. Protected facts are used for this check alone.",
        )  # fmt: skip
        blocks = [Block(table["name"].to(self.language), self._treated(table["rows"])) for table in found["tables"]]
        blocks += [
            Block(
                name.to(self.language),
                needs=say("没有：本行数据未提供", "not available: this bank's data do not tell it"),
            )
            for name in found["lacking"]
        ]
        return Section("fairness", title, blocks, lines=[line])

    def _treated(self, rows: Sequence[Mapping[str, Any]]) -> Table:
        say = self.say
        heads = [
            say("组", "Group"),
            say("样本数", "Units"),
            say("有利率", "Favourable"),
            say("95% 区间", "95 % interval"),
            say("与对照组之比", "Ratio to the reference"),
            "p",
            say("平均概率", "Mean chance"),
            say("实际事件率", "Observed"),
            say("95% 区间", "95 % interval"),
            say("结论", "Finding"),
        ]
        return Table(
            heads,
            [[row["level"].to(self.language), self.count(row["units"]), self.share(row["favourable"]), self.between(row["low"], row["high"]),
              self.number(row["ratio"], 3), self._chance(row["chance"]), self.share(row["mean_probability"]), self.share(row["observed"]),
              self.between(row["observed_low"], row["observed_high"]), self.text(VERDICTS, row["verdict"])]
             for row in rows],
            frozenset(range(1, 9)),
        )  # fmt: skip

    def _chance(self, value: float | None) -> str:
        return UNKNOWN if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"

    # ── where it ends ───────────────────────────────────────────────────────────────────────────────────

    def limits(self) -> Section:
        say = self.say
        found = [*self._of_sample(), *self._of_quality(), *self._of_rows()]
        found = found or [say("各项检查未见需说明的局限", "None of the checks found one.")]
        return Section("limits", say("局限", "Limits"), lines=found)

    def _of_sample(self) -> list[str]:
        say, sample = self.say, self.content.get("sample") or {}
        if "waterfall" not in sample:
            return []
        found, days, events = [], sample["observed_on"], sample["events"]
        if events < FEW_EVENTS:
            found.append(
                say(
                    f"仅 {events} 个目标事件：各项数字不稳",
                    f"Only {events} events taught it: every figure is unsteady.",
                )
            )
        if len(days) == 1:
            found.append(
                say(
                    f"仅一个观察日（{days[0]}）：季节与时间变化未知",
                    f"One observation date only ({days[0]}): nothing is known of seasons or of change over time.",
                )
            )
        if (self.quality.get("out_of_time") or {}).get("windows_overlap"):
            found.append(
                say(
                    "相邻观察日的表现期重叠：事件可能在两日都计入",
                    "Outcome windows of neighbouring dates overlap: one event may count on two dates.",
                )
            )
        drawn, taught = sample["waterfall"][0]["rows"], sample["waterfall"][1]["rows"]
        if drawn and taught < 0.9 * drawn:
            found.append(
                say(
                    f"客群中 {self.share(1 - taught / drawn)} 被评分但未参与训练",
                    f"{self.share(1 - taught / drawn)} of the population is scored and did not teach it.",
                )
            )
        known = sample["waterfall"][2]["rows"]
        if taught and known < 0.95 * taught:
            found.append(
                say(
                    f"{self.share(1 - known / taught)} 的样本结果未知而剔除",
                    f"The outcome of {self.share(1 - known / taught)} is not known; they were left out.",
                )
            )
        return found

    def _of_quality(self) -> list[str]:
        say, quality = self.say, self.quality
        found = []
        folds, later = quality.get("by_fold") or [], quality.get("out_of_time")
        if (quality.get("auc") or 0) > SUSPECT_AUC or (quality.get("ks") or 0) > SUSPECT_KS:
            found.append(
                say(
                    "排序能力高得可疑：请检查是否有特征泄露结果",
                    "It ranks suspiciously well: look for a feature that knows the outcome.",
                )
            )
        if folds and max(folds) - min(folds) > WIDE_FOLDS:
            found.append(
                say(
                    f"各折 AUC 相差 {max(folds) - min(folds):.3f}",
                    f"The AUC differs by {max(folds) - min(folds):.3f} between folds.",
                )
            )
        if "bands" in quality and not later:
            found.append(say("没有时间外检验", "It was not judged out of time."))
        if later and quality["auc"] - later["auc"] > LOST_LATER:
            found.append(
                say(
                    f"时间外 AUC 低 {quality['auc'] - later['auc']:.3f}",
                    f"Out of time the AUC is {quality['auc'] - later['auc']:.3f} lower.",
                )
            )
        if (quality.get("calibration_error") or 0) > LOOSE:
            found.append(
                say(
                    f"校准误差 {quality['calibration_error']:.3f}：概率只作排序用",
                    f"Calibration error {quality['calibration_error']:.3f}: take its chances as ranks.",
                )
            )
        information = [one["information"] for one in self.content.get("card", {}).get("characteristics", ())]
        if len(information) > 1 and max(information) > HEAVY * sum(information):
            found.append(say("一项特征占信息量一半以上", "One characteristic holds more than half of the information."))
        return found

    def _of_rows(self) -> list[str]:
        say, on = self.say, self.card.on_rows
        if on is None:
            return []
        found = []
        if not on.later:
            found.append(
                say(
                    "按评级、客群与公平性的数字来自训练样本",
                    "The figures by grade, by segment and of fairness are of rows that taught it.",
                )
            )
        small = [row for table in on.fairness["tables"] for row in table["rows"] if row["verdict"] == fairness.TOO_FEW]
        if small:
            found.append(
                say(
                    f"公平性：{len(small)} 组数据不足，不等于通过",
                    f"Fairness: {len(small)} groups do not have enough data, which is no pass.",
                )
            )
        if on.fairness["lacking"]:
            names = say("、", ", ").join(name.to(self.language) for name in on.fairness["lacking"])
            found.append(say(f"公平性：未提供{names}", f"Fairness: not told of {names}."))
        return found

    def life(self) -> Section:
        say, own = self.say, self.card.standing
        rows = [
            [f"`{each.version}`" + (say(" （本版本）", " (this one)") if each is own else ""), self.text(STATUSES, each.status), str(each.registered_on), str(each.since),
             each.approved_by or UNKNOWN, each.reason or UNKNOWN]
            for each in sorted([own, *self.card.others], key=lambda each: (each.registered_on, each.version))
        ]  # fmt: skip
        heads = [
            say("版本", "Version"),
            say("状态", "Status"),
            say("登记日", "Registered"),
            say("始于", "Since"),
            say("批准人", "Approved by"),
            say("理由", "Reason"),
        ]
        note = say(
            "首个版本随定义文件批准；其后的启用与停用由人裁定",
            "The first version was approved with its definition; later ones are promoted and retired by people's rulings.",
        )
        return Section(
            "life", say("生命周期", "Life"), [Block(say("各版本", "Versions"), Table(heads, rows), note=note)]
        )
