-- SMS and calls go to customers of the core, so they carry its number.
SELECT
    "流水号"                                                    AS contact_id,
    'core'                                                      AS system,
    "客户号"                                                    AS party_id,
    nullif("决策号", '')                                         AS decision_id,
    "时间"                                                      AS at,
    CASE "方式" WHEN '短信' THEN 'sms' WHEN '外呼' THEN 'call' END AS channel,
    CASE "目的" WHEN '营销' THEN 'marketing' WHEN '催收' THEN 'collection' END AS purpose,
    "活动"                                                      AS campaign,
    CASE "分组" WHEN '对照组' THEN 'control' ELSE 'test' END    AS cell,
    "分组" = '对照组'                                           AS is_control,
    "方案"                                                      AS offer,
    "概率"                                                      AS propensity,
    CASE "结果" WHEN '未发送' THEN 'held' WHEN '未接通' THEN 'failed' ELSE 'delivered' END AS status,
    "送达时间"                                                  AS delivered_at,
    "结果"                                                      AS result_code,
    "成本"                                                      AS cost
FROM call_contact
