-- Plans. The monthly rate is of the first principal; the annual rate that must be shown is found from it elsewhere.
SELECT
    FQH                                                         AS plan_id,
    ZH                                                          AS account_id,
    CASE FQLX WHEN 'B' THEN 'bill' WHEN 'T' THEN 'transaction' WHEN 'C' THEN 'cash' END AS kind,
    FQBJ                                                        AS principal,
    QS                                                          AS term_months,
    YFL                                                         AS monthly_fee_rate,
    true                                                        AS uses_limit,
    BLRQ                                                        AS opened_on,
    JQRQ                                                        AS closed_on,
    TQJQRQ                                                      AS settled_early_on,
    WHBJ                                                        AS outstanding
FROM core_instalment
