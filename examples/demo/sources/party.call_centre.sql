-- People who have called: the name as it was heard, the number they called from, dashes and all.
SELECT
    'call_centre'                                               AS system,
    "来电客户号"                                                AS party_id,
    "姓名"                                                      AS full_name,
    replace("来电号码", '-', '')                                AS phone,
    "联系地址"                                                  AS address,
    "城市"                                                      AS city,
    "建档时间"                                                  AS created_at
FROM call_customer
