SELECT
    JFLSH                                                       AS entry_id,
    ZH                                                          AS account_id,
    SJ                                                          AS at,
    CASE LX WHEN '1' THEN 'earned' WHEN '2' THEN 'redeemed' WHEN '3' THEN 'lapsed' END AS kind,
    JF                                                          AS points,
    DQRQ                                                        AS expires_on,
    CB                                                          AS cost
FROM core_points
