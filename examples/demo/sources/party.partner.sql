-- Members of the partner shop, in Latin letters and with European dates.
SELECT
    'partner'                                                   AS system,
    "Member No"                                                 AS party_id,
    "Name"                                                      AS full_name,
    strptime("Born", '%d/%m/%Y')::DATE                          AS birth_date,
    replace("Mobile", '+86 ', '')                               AS phone,
    "E-mail"                                                    AS email,
    "Address"                                                   AS address,
    "City"                                                      AS city,
    strptime("Joined", '%d/%m/%Y')                              AS created_at
FROM shop_member
