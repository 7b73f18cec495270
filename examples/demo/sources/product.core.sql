SELECT
    CPDM                                                        AS product_id,
    CPMC                                                        AS name,
    KDJ                                                         AS tier,
    NF                                                          AS annual_fee,
    XFRLL                                                       AS purchase_rate,   -- a day
    QXRLL                                                       AS cash_rate,
    MXQ                                                         AS interest_free_days,
    JFBL                                                        AS points_per_unit
FROM core_product
