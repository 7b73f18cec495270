-- Before files came daily the core told refused requests only; since then the approved ones too, with their posting.
SELECT
    SQLSH                                                       AS authorisation_id,
    ZH                                                          AS account_id,
    KPH                                                         AS card_id,
    SQSJ                                                        AS at,
    SQJE                                                        AS amount,
    CASE YDM WHEN '00' THEN 'approved' ELSE 'declined' END      AS result,
    CASE YDM WHEN '51' THEN 'over_limit' WHEN '55' THEN 'wrong_code' WHEN '00' THEN NULL ELSE YDM END AS reason,
    MCC                                                         AS mcc,
    SHMC                                                        AS merchant,
    CASE QBDM WHEN '01' THEN '微信支付' WHEN '02' THEN '支付宝' WHEN '03' THEN '云闪付' END AS wallet,
    RZLSH                                                       AS posted_transaction_id
FROM core_request
