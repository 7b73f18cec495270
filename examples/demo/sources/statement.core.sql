-- A statement comes with the month in which it was drawn; if its due date lies in the next month, it comes again then,
-- with what was paid (DQQHK). The later row with the same key counts from its day on.
SELECT
    ZH                                                          AS account_id,
    ZDRQ                                                        AS statement_on,
    DQRQ                                                        AS due_on,
    BQYH                                                        AS closing_balance,
    ZDHKE                                                       AS minimum_due,
    DQQHK                                                       AS paid_by_due,
    TZZE                                                        AS total_balance,
    SXYE                                                        AS revolving_balance,
    FQYE                                                        AS instalment_balance,
    BQXF                                                        AS purchases,
    BQQX                                                        AS cash_advances,
    BQHK                                                        AS payments,
    BQLX                                                        AS interest,
    BQFY                                                        AS fees,
    XYED                                                        AS credit_limit,
    YQQS                                                        AS cycles_past_due,
    YQTS                                                        AS days_past_due
FROM core_statement
