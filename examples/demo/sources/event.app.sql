-- Visits in the app; some before logging in, known by the device alone.
SELECT
    event_id,
    event_time                                                  AS at,
    event_name                                                  AS name,
    CASE WHEN user_id <> '' THEN 'app' END                      AS system,
    user_id                                                     AS party_id,
    device_id,
    'app'                                                       AS channel,
    props                                                       AS properties
FROM app_event
