-- What customers hold in the bank besides the card.
SELECT
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    _known_on                                                   AS known_on,
    CASE CPLX WHEN 'CK' THEN 'deposit' WHEN 'DF' THEN 'payroll' WHEN 'FD' THEN 'mortgage' WHEN 'DK' THEN 'loan' WHEN 'LC' THEN 'wealth' END AS kind,
    YE                                                          AS balance
FROM core_holding
