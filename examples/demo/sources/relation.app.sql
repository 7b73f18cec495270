-- Money sent from one customer to another in the app.
SELECT
    'app'                                                       AS system,
    user_id                                                     AS party_id,
    to_user_id                                                  AS other_party_id,
    'transfer'                                                  AS kind,
    first_on                                                    AS since
FROM app_transfer
