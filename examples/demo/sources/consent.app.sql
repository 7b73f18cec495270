SELECT
    'app'                                                       AS system,
    user_id                                                     AS party_id,
    'app'                                                       AS channel,
    'marketing'                                                 AS purpose,
    agreed = '1'                                                AS granted,
    agreed_time                                                 AS at,
    page_version                                                AS evidence
FROM app_consent
