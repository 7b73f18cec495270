-- Agreements at the opening of the account, and refusals since (退订).
SELECT
    'core'                                                      AS system,
    "客户号"                                                    AS party_id,
    CASE "渠道" WHEN '短信' THEN 'sms' WHEN '电话' THEN 'call' END AS channel,
    'marketing'                                                 AS purpose,
    "意愿" = '同意'                                             AS granted,
    "时间"                                                      AS at
FROM call_consent
