-- Answers to the satisfaction call (NPS, 0 to 10) and complaints, as written down.
SELECT
    "工单号"                                                    AS feedback_id,
    'call_centre'                                               AS system,
    "来电客户号"                                                AS party_id,
    "时间"                                                      AS at,
    CASE "类型" WHEN 'NPS' THEN 'nps' WHEN '投诉' THEN 'complaint' END AS kind,
    "评分"                                                      AS value,
    "主题"                                                      AS topic,
    "内容"                                                      AS text,
    "办结时间"                                                  AS resolved_at
FROM call_feedback
