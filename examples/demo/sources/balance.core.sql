-- The same month-end file is a snapshot of balances.
SELECT
    ZH                                                          AS account_id,
    _known_on                                                   AS "on",
    TZZE                                                        AS total_balance,
    SXYE                                                        AS revolving_balance,
    FQYE                                                        AS instalment_balance,
    YQJE                                                        AS overdue_amount,
    YQTS                                                        AS days_past_due,
    YQQS                                                        AS cycles_past_due
FROM core_account
