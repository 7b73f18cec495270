-- The core delivers refused requests only; approved ones are seen as postings.
SELECT
    SQLSH                                                       AS authorisation_id,
    ZH                                                          AS account_id,
    KPH                                                         AS card_id,
    SQSJ                                                        AS at,
    SQJE                                                        AS amount,
    'declined'                                                  AS result,
    CASE YDM WHEN '51' THEN 'over_limit' WHEN '55' THEN 'wrong_code' ELSE YDM END AS reason,
    MCC                                                         AS mcc,
    SHMC                                                        AS merchant,
    CASE QBDM WHEN '01' THEN '微信支付' WHEN '02' THEN '支付宝' WHEN '03' THEN '云闪付' END AS wallet
FROM core_declined
