-- Push messages, those held out included: without them no effect can be measured.
SELECT
    push_id                                                     AS contact_id,
    'app'                                                       AS system,
    user_id                                                     AS party_id,
    nullif(decision_id, '')                                     AS decision_id,
    send_time                                                   AS at,
    'app'                                                       AS channel,
    'marketing'                                                 AS purpose,
    campaign,
    "group"                                                     AS cell,
    "group" = 'control'                                         AS is_control,
    offer,
    prob                                                        AS propensity,
    status,
    CASE WHEN status = 'delivered' THEN send_time END           AS delivered_at,
    open_time                                                   AS opened_at,
    click_time                                                  AS clicked_at,
    0                                                           AS cost
FROM app_push
