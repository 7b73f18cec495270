-- The call centre writes the result into the contact's own row; here it becomes a response.
SELECT
    'R' || "流水号"                                             AS response_id,
    'core'                                                      AS system,
    "客户号"                                                    AS party_id,
    "送达时间"                                                  AS at,
    CASE "结果" WHEN '同意' THEN 'accepted' WHEN '拒绝' THEN 'refused' WHEN '退订' THEN 'opted_out' END AS kind,
    "流水号"                                                    AS contact_id,
    "方案"                                                      AS offer
FROM call_contact
WHERE "结果" IN ('同意', '拒绝', '退订')
