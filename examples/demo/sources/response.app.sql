SELECT
    result_id                                                   AS response_id,
    'app'                                                       AS system,
    user_id                                                     AS party_id,
    result_time                                                 AS at,
    CASE result WHEN 'click' THEN 'clicked' WHEN 'accept' THEN 'accepted' WHEN 'unsubscribe' THEN 'opted_out' END AS kind,
    push_id                                                     AS contact_id,
    offer
FROM app_push_result
