SELECT
    HXLSH                                                       AS use_id,
    ZH                                                          AS account_id,
    QYMC                                                        AS benefit,
    SJ                                                          AS at,
    SL                                                          AS units,
    CB                                                          AS cost,
    HZF                                                         AS partner
FROM core_benefit
