-- What the core did with decisions: 1 executed, 2 refused, 3 in part.
SELECT
    JCH                                                         AS decision_id,
    'core'                                                      AS system,
    SJ                                                          AS at,
    CASE ZT WHEN '1' THEN 'executed' WHEN '2' THEN 'refused' WHEN '3' THEN 'partly' END AS status,
    DM                                                          AS code,
    YZ                                                          AS value_before,
    XZ                                                          AS value_after
FROM core_done
