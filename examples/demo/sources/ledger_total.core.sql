-- The general ledger: what all accounts earned in a month, by line.
SELECT
    KM                                                          AS line,
    YF                                                          AS month,
    JE                                                          AS amount
FROM core_ledger
