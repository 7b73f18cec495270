-- States of accounts and people. What has ended comes again with its end (JSRQ).
SELECT
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    ZH                                                          AS account_id,
    CASE BJLX
        WHEN '10' THEN 'dispute' WHEN '11' THEN 'hardship' WHEN '12' THEN 'fraud' WHEN '13' THEN 'collection'
        WHEN '14' THEN 'closure_request' WHEN '15' THEN 'deceased' WHEN '16' THEN 'student'
        WHEN '17' THEN 'written_off' WHEN '18' THEN 'no_credit_promotion'
    END                                                         AS kind,
    KSRQ                                                        AS since,
    JSRQ                                                        AS until,
    JD                                                          AS stage
FROM core_mark
