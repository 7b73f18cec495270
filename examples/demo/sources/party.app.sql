-- Users of the app. Six in ten are verified with their document; the others are known by phone and device.
SELECT
    'app'                                                       AS system,
    user_id                                                     AS party_id,
    trim(real_name)                                             AS full_name,
    CASE gender WHEN 'M' THEN 'male' WHEN 'F' THEN 'female' END AS gender,
    id_no                                                       AS id_document,
    mobile                                                      AS phone,
    mail                                                        AS email,
    addr                                                        AS address,
    city_name || '市'                                           AS city,
    register_time                                               AS created_at
FROM app_user
