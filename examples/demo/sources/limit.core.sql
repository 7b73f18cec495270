-- Limits: G 固额, L 临额 (on top of the fixed one), Z 总授信 of the customer. Asked by H 行内 or K 客户; 0 is a refusal.
SELECT
    EDH                                                         AS line_id,
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    CASE EDLX WHEN 'G' THEN 'fixed' WHEN 'L' THEN 'temporary' WHEN 'Z' THEN 'total' END AS kind,
    EDJE                                                        AS amount,
    SXRQ                                                        AS valid_from,
    DQRQ                                                        AS valid_to,
    CASE SQF WHEN 'H' THEN 'bank' WHEN 'K' THEN 'customer' END  AS asked_by,
    CASE SPJG WHEN '1' THEN 'granted' WHEN '0' THEN 'refused' END AS result
FROM core_limit
