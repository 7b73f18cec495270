-- The wide table of tags that the bank had before Backbook: sources/attributes.yaml says what its columns are.
SELECT
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    _known_on                                                   AS known_on,
    CZBZ = '1'                                                  AS car_owner,
    ZNBZ = '1'                                                  AS has_children,
    ZCDJ                                                        AS wealth_band,
    GZRBZ = '1'                                                 AS payroll_employer
FROM core_tags
