-- Outside credit data, bought for looking after loans (贷后管理): never for marketing.
SELECT
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    _known_on                                                   AS known_on,
    TYSX                                                        AS other_limits,
    TYYE                                                        AS other_balances,
    CXCS                                                        AS enquiries_3m,
    ZCZT                                                        AS worst_status,
    '贷后管理'                                                  AS purpose
FROM core_bureau
