-- Customers who want their tags deleted, or offers that are made to nobody in particular: what they asked binds.
SELECT
    "请求号"                                                       AS ruling_id,
    "时间"                                                        AS at,
    "坐席"                                                        AS actor,
    CASE "类型" WHEN '删除标签' THEN 'delete_tags' WHEN '关闭个性化' THEN 'non_personalised' END AS kind,
    'call_centre:' || "来电客户号"                                   AS subject,
    '客户来电要求：' || "类型"                                           AS reason
FROM call_request
