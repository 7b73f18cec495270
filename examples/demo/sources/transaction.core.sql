-- Every posting. Turning a bill into instalments (7100) and calling instalments in at once (7200) move debt inside the
-- account: adjustments. Only what the customer does himself keeps a card from sleeping (CN-17).
SELECT
    JYLSH                                                       AS transaction_id,
    ZH                                                          AS account_id,
    KPH                                                         AS card_id,
    RZSJ                                                        AS posted_at,
    RZSJ                                                        AS occurred_at,
    JYJE                                                        AS amount,
    CASE JYDM
        WHEN '1000' THEN 'purchase'
        WHEN '2000' THEN 'cash_advance' WHEN '2100' THEN 'cash_advance'
        WHEN '3000' THEN 'refund'
        WHEN '4000' THEN 'payment' WHEN '4001' THEN 'payment'
        WHEN '5000' THEN 'fee' WHEN '5100' THEN 'fee' WHEN '5200' THEN 'fee'
        WHEN '5900' THEN 'waiver'
        WHEN '6000' THEN 'interest' WHEN '6100' THEN 'interest'
        WHEN '7000' THEN 'instalment'
        WHEN '7100' THEN 'adjustment' WHEN '7200' THEN 'adjustment'
        WHEN '8000' THEN 'charge_off' WHEN '8101' THEN 'charge_off'
        WHEN '8100' THEN 'recovery'
        ELSE 'other'
    END                                                         AS kind,
    JYDM                                                        AS code,
    CASE JYDM WHEN '5000' THEN 'annual' WHEN '5900' THEN 'annual' WHEN '5100' THEN 'late' WHEN '5200' THEN 'cash' END AS fee_kind,
    JYDM IN ('1000', '2000', '2100')                            AS customer_initiated,
    YLSH                                                        AS reverses,
    MCC                                                         AS mcc,
    SHMC                                                        AS merchant,
    JYCS                                                        AS city,
    GJDM                                                        AS country,
    CASE SRFS WHEN '051' THEN 'card_present' WHEN '812' THEN 'online' END AS entry,
    CASE QBDM WHEN '01' THEN '微信支付' WHEN '02' THEN '支付宝' WHEN '03' THEN '云闪付' END AS wallet,
    YBJE                                                        AS original_amount,
    YBBZ                                                        AS original_currency
FROM core_posting
