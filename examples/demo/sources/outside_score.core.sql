-- Scores of two vendors, bought for looking after loans (贷后管理), each at its price.
SELECT
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    _known_on                                                   AS known_on,
    GYS                                                         AS vendor,
    PFMC                                                        AS name,
    FZ                                                          AS value,
    '贷后管理'                                                      AS purpose,
    SQBH                                                        AS consent_id,
    FY                                                          AS price
FROM core_vendor
