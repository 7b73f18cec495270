-- Accounts as they stand at each month's end. TZZE is all that is owed: billed, unbilled and instalments not yet due
-- (ZMYE, the ledger, leaves those out).
SELECT
    ZH                                                          AS account_id,
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    EDH                                                         AS line_id,         -- accounts with one EDH share a limit
    CPDM                                                        AS product_id,
    CASE BZ WHEN '156' THEN 'CNY' ELSE BZ END                   AS currency,
    KHRQ                                                        AS opened_on,
    XHRQ                                                        AS closed_on,
    CASE ZHZT WHEN 'C' THEN 'customer' WHEN 'W' THEN 'written_off' END AS close_reason,
    CASE ZHZT WHEN 'A' THEN 'open' WHEN 'C' THEN 'closed' WHEN 'W' THEN 'written_off' END AS status,
    ZFBZ                                                        AS block_code,      -- P 止付
    XYED                                                        AS credit_limit,
    TZZE                                                        AS balance,
    YQTS                                                        AS days_past_due,
    YQQS                                                        AS cycles_past_due,
    0                                                           AS pending_authorisations,
    ZDR                                                         AS cycle_day,
    ZDHK                                                        AS autopay,
    CASE                                                                            -- 五级分类, by days past due
        WHEN YQTS::INT > 360 THEN 'loss'
        WHEN YQTS::INT > 270 THEN 'doubtful'
        WHEN YQTS::INT > 90 THEN 'substandard'
        WHEN YQTS::INT > 0 THEN 'special_mention'
        ELSE 'normal'
    END                                                         AS classification
FROM core_account
