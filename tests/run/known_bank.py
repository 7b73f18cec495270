"""A small bank that knows its customers: two systems, a complaint, a merchant that bears a name, tags with evidence."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from backbook import run
from backbook.workspace import Workspace

AS_OF = date(2026, 6, 30)
PRIVATE = {
    "name": "张小三", "other name": "李四光", "phone": "13912345678", "document": "11010519491231002X", "e-mail": "zhang@bank.example",
    "address": "幸福路12号",
}  # fmt: skip
PEOPLE = f"""system,party_id,customer_no,full_name,birth_date,id_document,phone,email,address,city,created_at
core,C0001,N-0001,{PRIVATE["name"]},1989-05-01,{PRIVATE["document"]},{PRIVATE["phone"]},{PRIVATE["e-mail"]},{PRIVATE["address"]},上海市,2021-01-02 10:00:00
app,u1,,{PRIVATE["name"]},1989-05-01,{PRIVATE["document"]},{PRIVATE["phone"]},,,上海市,2022-01-02 10:00:00
core,C0002,N-0002,{PRIVATE["other name"]},1979-05-01,,,,,杭州市,2020-01-02 10:00:00
core,C0003,N-0007,王五,1970-01-01,,,,,杭州市,2020-01-02 10:00:00
core,C0004,N-0007,赵六,1999-12-31,,,,,杭州市,2020-01-02 10:00:00
"""
FEEDBACK = f"""feedback_id,system,party_id,at,kind,topic,text
F1,core,C0001,2026-06-15 10:00:00,complaint,fee {PRIVATE["phone"]},我叫{PRIVATE["name"]}请回电{PRIVATE["phone"]}
"""
LOOKUPS = """
lookups:
  - id: shop_kind
    zh: 商店种类
    en: Kind of shop
    tables: [transaction]
    of: mcc
    otherwise: other
    levels:
      - {code: grocery, zh: 超市, en: Groceries, is: ["5411"]}
      - {code: home, zh: 家用, en: Home, is: ["5311-5399", "5732"]}
      - {code: other, zh: 其他, en: Other}
"""
FEATURES = """
features:
  - {id: home_purchases_365d, zh: 近一年家居笔数, en: Home purchases in 365 days, unit: times, grain: customer, owner: 客户经营,
     table: transaction, measure: count, filter: "kind = 'purchase' and shop_kind = 'home'", window: last 180 days}
"""
TAGS = """
  - id: homemaker
    zh: 爱家居
    en: Makes a home
    meaning: {zh: 近半年有家居消费, en: bought for the home in half a year}
    owner: 客户经营
    aim: marketing
    grain: customer
    dimension: interest
    refresh: monthly
    expression: home_purchases_365d > 0
    evidence: [home_purchases_365d]
    confidence: least(1, home_purchases_365d / 4)
  - id: formula
    zh: =1+1
    en: "@SUM(A1)"
    meaning: {zh: "=cmd|' /C calc'!A0", en: "+1<script>alert(1)</script>"}
    owner: "-2"
    aim: service
    grain: account
    dimension: basic
    expression: credit_limit > 0
"""


def bank(folder: Path) -> Path:
    """A workspace that has walked the whole way for `AS_OF`."""
    run.init(folder)
    settings = (folder / "backbook.toml").read_text(encoding="utf-8")
    inputs = '\n[inputs.people]\npath = "raw/people.csv"\ndelivery = "extract"\n\n[inputs.feedback]\npath = "raw/feedback.csv"\n'
    files = {
        "backbook.toml": settings + inputs,
        "raw/people.csv": PEOPLE,
        "raw/feedback.csv": FEEDBACK,
        "sources/party.main.sql": "select * from people",
        "sources/feedback.main.sql": "select * from feedback",
        "lookups.yaml": LOOKUPS,
        "features.yaml": FEATURES,
        "tags.yaml": (folder / "tags.yaml").read_text(encoding="utf-8") + TAGS,
    }
    postings = folder / "sources/transaction.main.sql"
    merchant = f"'{PRIVATE['name']}面馆 {PRIVATE['phone']}' as merchant"
    files["sources/transaction.main.sql"] = postings.read_text(encoding="utf-8").replace(
        "    mcc\n", f"    mcc,\n    {merchant}\n"
    )
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    run.walk(Workspace.open(folder), [AS_OF])
    return folder
