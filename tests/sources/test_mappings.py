"""Mappings: one SELECT over named inputs, checked before anything runs."""

from __future__ import annotations

import pytest

from backbook.definitions import SourceMapping
from backbook.errors import BadDefinition
from backbook.sources.check import check_inputs
from backbook.sources.load import definitions
from backbook.sources.mapping import read_mapping

BILLS = "acct as account_id, d as statement_on, x as closing_balance"


def faults(sql: str, table: str = "statement", inputs: tuple[str, ...] = ("bills", "more")) -> list[str]:
    return [
        str(fault) for fault in read_mapping(SourceMapping(table, "core", sql, f"sources/{table}.core.sql"), inputs)[1]
    ]


def query(sql: str) -> str:
    mapping, wrong = read_mapping(SourceMapping("statement", "core", sql, "x.sql"), ("bills", "more"))
    assert mapping is not None, wrong
    return mapping.query


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (f"select {BILLS} from '/etc/passwd'", "reads '\"/etc/passwd\"', which is not an input"),
        (f"select {BILLS} from read_csv('x.csv')", "calls read_csv()"),
        (f"select {BILLS} from read_text('/etc/passwd')", "calls read_text()"),
        (f"select {BILLS} from bills where x in (select content from read_blob('k'))", "calls read_blob()"),
        (f"select {BILLS} from glob('*')", "calls glob()"),
        ("select getenv('HOME') as account_id, d as statement_on, x as closing_balance from bills", "calls getenv()"),
        (
            "select acct as account_id, current_date as statement_on, x as closing_balance from bills",
            "calls current_date()",
        ),
        ("select acct as account_id, d as statement_on, random() as closing_balance from bills", "calls rand"),
        (f"select {BILLS} from bill", "'bill', which is not an input of backbook.toml. Did you mean 'bills'?"),
        (f"select {BILLS} from information_schema.tables", "which is not an input"),
        (f"select {BILLS} from main.bills", "which is not an input"),
        (
            "select acct as account_id, d as statement_on, x as closing_balnce from bills",
            "Did you mean 'closing_balance'?",
        ),
        ("select acct as account_id, d as statement_on from bills", "does not give 'closing_balance' (本期应还)"),
        ("select acct account_id d as statement_on from bills", "is not SQL"),
        ("delete from bills", "A mapping is one SELECT"),
        ("copy bills to 'x.csv'", "A mapping is one SELECT"),
        ("attach 'x.db'", "A mapping is one SELECT"),
        ("install httpfs", "A mapping is one SELECT"),
        (f"select {BILLS} from bills; select {BILLS} from bills", "holds SELECT, SELECT"),
        ("", "holds nothing"),
    ],
)
def test_what_a_mapping_may_not_do_is_refused(sql: str, told: str) -> None:
    assert any(told in fault for fault in faults(sql)), faults(sql)


def test_a_fault_names_its_line() -> None:
    sql = "select\n  acct as account_id,\n  d as statement_on,\n  x as closing_balnce\nfrom bills"
    assert faults(sql)[0].startswith("sources/statement.core.sql:4: gives 'closing_balnce'")


def test_a_table_that_the_contract_does_not_have_is_answered_with_the_nearest() -> None:
    assert faults("select 1", table="transactions") == [
        "sources/transactions.core.sql: 'transactions' is not a table of the contract. Did you mean 'transaction'?"
    ]


@pytest.mark.parametrize(
    "sql",
    [
        f"select {BILLS} from bills",
        f"select {BILLS} from bills b join more m on m.k = b.k",
        f"with c as (select * from bills where x is not null) select {BILLS} from c",
        f"select {BILLS} from (select acct, d, x from bills) q",
        f"select {BILLS} from bills union all select {BILLS} from more",
        f"select {BILLS}, row_number() over (order by d) as cycles_past_due from bills",
    ],
)
def test_file_and_row_are_carried_through_where_the_form_allows_it(sql: str) -> None:
    assert query(sql).count("_row") >= 1


@pytest.mark.parametrize(
    "sql",
    [
        "select acct as account_id, max(d) as statement_on, sum(x) as closing_balance from bills group by 1",
        f"select distinct {BILLS} from bills",
        f"select {BILLS} from bills union select {BILLS} from more",
    ],
)
def test_where_rows_are_put_together_there_is_no_one_line_to_name(sql: str) -> None:
    assert "_row" not in query(sql)


def test_a_quarantined_row_behind_a_join_still_names_its_line(bank) -> None:
    bank.transactions("T1,A1,2026-10-01,1,10", "T2,A1,2026-10-02,x,10")
    bank.input("codes", 'path = "raw/codes.csv"')
    bank.file("codes.csv", "code,meaning\n10,purchase\n")
    bank.mapping(
        "transaction.core",
        "select p.transaction_id, p.account_id, p.posted_at, p.amount, c.meaning as kind from posted p join codes c on c.code = p.kind",
    )
    bank.load()
    (row,) = bank.lake_rows("quarantine.transaction")
    assert (row["_file"], row["_row"]) == ("posted.csv", 3)


def test_several_mappings_of_one_table_are_stacked(bank) -> None:
    bank.input("old", 'path = "raw/old.csv"')
    bank.file("old.csv", "konto,limit_amt\nB1,5\n")
    bank.mapping(
        "account.old",
        "select konto as account_id, 'old' as system, konto as party_id, '2019-01-01' as opened_on, limit_amt as credit_limit from old",
    )
    assert bank.load().accounts["account"].loaded == 3
    assert bank.values("account", "system") == ["core", "core", "old"]


def test_check_compares_mappings_with_the_headers_that_lie_there(bank) -> None:
    bank.transactions("T1,A1,2026-10-01,1,purchase")
    bank.mapping("transaction.core", "select\n transaction_id, account_id, posted_at, amt as amount, kind\nfrom posted")
    bank.input("gone", 'path = "raw/gone.csv"')
    workspace = bank.open()
    inputs, mappings, _ = definitions(workspace)
    found = [str(fault) for fault in sorted(check_inputs(workspace, inputs, mappings))]
    assert found[0].startswith("backbook.toml:")
    assert "Input 'gone' finds no file at raw/gone.csv" in found[0]
    assert found[1] == (
        "sources/transaction.core.sql:2: reads the column 'amt', which input 'posted' does not have. Did you mean 'amount'?"
    )


def test_a_star_that_brings_columns_the_table_does_not_have_is_refused(bank) -> None:
    bank.transactions(
        "T1,A1,2026-10-01,1,purchase,9", header="transaction_id,account_id,posted_at,amount,kind,branch_code"
    )
    with pytest.raises(BadDefinition, match="gives 'branch_code', which `transaction` does not have"):
        bank.load()


def test_levels_may_be_written_in_chinese(bank) -> None:
    bank.transactions("T1,A1,2026-10-01,1,消费")
    bank.load()
    assert bank.values("transaction", "kind") == ["purchase"]
