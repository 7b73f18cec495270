"""The words of a look at a customer, Chinese and English side by side."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from backbook.customer.tags import DIMENSIONS
from backbook.expressions import Level
from backbook.outcome.figures import Text
from backbook.outcome.numbers import UNKNOWN

TEXTS: dict[str, Text] = {
    "customer": Text("客户全景", "Customer"),
    "as_of": Text("业务日期", "as of"),
    "masked": Text("姓名已脱敏；不含证件、电话、卡号", "Names are masked; no document, telephone or card number"),
    "contents": Text("目录", "Contents"),
    "who": Text("客户", "Who"),
    "accounts": Text("账户与卡片", "Accounts and cards"),
    "months": Text("近12个月消费与余额", "Spend and balance of twelve months"),
    "timeline": Text("近12个月大事记", "What happened in twelve months"),
    "tags": Text("标签", "Tags"),
    "expired": Text("已过期，视为未知", "Expired, and so not known"),
    "segments": Text("客群", "Segments"),
    "scores": Text("评分", "Scores"),
    "ties": Text("关系", "Ties"),
    "decisions": Text("最近决策", "Last decisions"),
    "notes": Text("提示", "To know"),
    "name": Text("姓名", "Name"),
    "age": Text("年龄段", "Age"),
    "city": Text("城市", "City"),
    "branch": Text("机构", "Branch"),
    "manager": Text("客户经理", "Manager"),
    "customer_no": Text("客户号", "Customer number"),
    "since": Text("始于", "Since"),
    "wishes": Text("客户意愿", "Wishes"),
    "record": Text("记录", "Record"),
    "numbers": Text("数字", "Numbers"),
    "records": Text("客户记录", "Records"),
    "none": Text("无", "none"),
    "tags_deleted": Text("已要求删除个人标签", "asked that personal tags be deleted"),
    "non_personalised": Text("不要个性化", "wants nothing in person"),
    "deleted": Text("个人标签已按客户要求删除，不再显示", "Personal tags were deleted at the customer's wish and are not shown"),
    "changed": Text("定义在本日画像之后有改动；重跑 profile 与 score 后一致", "Definitions have changed since this profile; walk profile and score again"),
    "aged": Text("画像已过 {days} 天", "The profile is {days} days old"),
    "account": Text("账户", "Account"),
    "product": Text("产品", "Product"),
    "opened_on": Text("开户日", "Opened"),
    "limit": Text("额度", "Limit"),
    "balance": Text("余额", "Balance"),
    "utilisation": Text("使用率", "Utilisation"),
    "days_past_due": Text("逾期天数", "Days past due"),
    "stage": Text("阶段", "Stage"),
    "cards": Text("卡片", "Cards"),
    "card_active": Text("已激活", "activated"),
    "card_new": Text("未激活", "not activated"),
    "card_cancelled": Text("已注销", "cancelled"),
    "card_blocked": Text("锁定", "blocked"),
    "card_supplementary": Text("附属", "supplementary"),
    "month": Text("月份", "Month"),
    "spend": Text("消费", "Spend"),
    "purchases": Text("笔数", "Purchases"),
    "on": Text("日期", "On"),
    "kind": Text("事项", "What"),
    "what": Text("内容", "Detail"),
    "amount": Text("金额", "Amount"),
    "tag": Text("标签", "Tag"),
    "meaning": Text("含义", "Meaning"),
    "confidence": Text("置信度", "Confidence"),
    "evidence": Text("依据", "Evidence"),
    "no_evidence": Text("未指明依据特征", "names no evidence"),
    "rows_in_all": Text("共 {total} 行", "{total} in all"),
    "category": Text("类别", "Category"),
    "place": Text("商户等", "With"),
    "table": Text("表", "Table"),
    "row": Text("流水", "Row"),
    "use": Text("用途", "For"),
    "not_for": Text("不得用于", "Not for"),
    "owner": Text("负责", "Owner"),
    "segment": Text("客群", "Segment"),
    "level": Text("层级", "Level"),
    "score": Text("评分", "Score"),
    "grade": Text("评级", "Grade"),
    "value": Text("分值", "Value"),
    "reasons": Text("原因", "Reasons"),
    "points": Text("分", "points"),
    "log_odds": Text("对数优势", "log odds"),
    "strategy": Text("策略", "Strategy"),
    "action": Text("处置", "Action"),
    "blocked": Text("拦截", "Blocked"),
    "value_now": Text("现值", "Now"),
    "value_new": Text("新值", "New"),
    "valid_until": Text("有效期至", "Valid until"),
    "simulation": Text("仅供模拟", "for simulation only"),
    "tie": Text("关系", "Tie"),
    "other": Text("对方", "Other customer"),
    "shown_of": Text("显示 {shown} / {total}", "{shown} of {total} shown"),
    "nothing": Text("没有可展示的内容", "nothing to show"),
    "aim_risk": Text("风险", "risk"),
    "aim_marketing": Text("营销", "marketing"),
    "aim_service": Text("服务", "service"),
    "aim_both": Text("风险与营销", "risk and marketing"),
    "aim_all": Text("各用途", "all uses"),
    # What may happen to a customer.
    "happened_opened": Text("开户", "Account opened"),
    "happened_closed": Text("销户", "Account closed"),
    "happened_issued": Text("发卡", "Card issued"),
    "happened_activated": Text("激活", "Card activated"),
    "happened_cancelled": Text("注销卡片", "Card cancelled"),
    "happened_limit": Text("额度", "Limit"),
    "happened_mark": Text("标志", "Mark"),
    "happened_mark_end": Text("标志解除", "Mark ended"),
    "happened_feedback": Text("反馈", "Feedback"),
    "happened_contact": Text("触达", "Contact"),
    "happened_response": Text("响应", "Response"),
    "happened_instalment": Text("办理分期", "Instalment plan"),
    "happened_settled": Text("提前结清", "Settled early"),
    "happened_benefit": Text("使用权益", "Benefit used"),
    "happened_purchases": Text("当月消费", "Purchases of the month"),
    "held_out": Text("留白", "held out"),
    "resolved": Text("已解决", "resolved"),
    "open": Text("未解决", "open"),
    "times": Text("{n} 笔", "{n} times"),
    "term": Text("{n} 期", "{n} months"),
}  # fmt: skip
# Codes that banks use much, where the contract leaves the words to them; another code is shown as it is.
CODES = {
    "customer": Text("客户申请", "asked by the customer"),
    "bank": Text("银行发起", "by the bank"),
    "granted": Text("批准", "granted"),
    "refused": Text("拒绝", "refused"),
    "sent": Text("已发送", "sent"),
    "delivered": Text("送达", "delivered"),
    "failed": Text("失败", "failed"),
    "opened": Text("打开", "opened"),
    "clicked": Text("点击", "clicked"),
}
TEXTS |= {f"dimension_{id}": Text(zh, en) for id, (zh, en) in DIMENSIONS.items()}


def text(key: str, language: str, **parts: Any) -> str:
    """The words of a key; an unknown key is a fault of ours and stops."""
    return TEXTS[key].to(language).format(**parts) if parts else TEXTS[key].to(language)


def either(pair: tuple[str, str] | None, language: str) -> str:
    """Of (zh, en) the one in the reader's language."""
    return Text(*pair).to(language) if pair else ""


def code(value: Any, language: str) -> str | None:
    """
    >>> code("granted", "zh"), code("B7", "zh"), code(None, "zh")
    ('批准', 'B7', None)
    """
    return CODES[value].to(language) if value in CODES else value


def level(levels: Sequence[Level], code: Any, language: str) -> str:
    """A level's name; the code where it has none."""
    found = next((each for each in levels if each.code == code), None)
    return either((found.zh, found.en), language) if found else "" if code is None else str(code)


def written(value: Any) -> str:
    """A value as a cell shows it.

    >>> from datetime import date
    >>> written(Decimal("1234.5")), written(3), written(None), written(date(2026, 10, 31))
    ('1,234.50', '3', '–', '2026-10-31')
    """
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
