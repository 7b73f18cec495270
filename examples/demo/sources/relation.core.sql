SELECT
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    DFKHH                                                       AS other_party_id,
    CASE GXLX WHEN 'H' THEN 'household' WHEN 'F' THEN 'supplementary' WHEN 'T' THEN 'referral' END AS kind,
    KSRQ                                                        AS since
FROM core_relation
