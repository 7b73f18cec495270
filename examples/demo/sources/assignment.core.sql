SELECT
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    FHDM                                                        AS branch,
    JLGH                                                        AS manager,
    KSRQ                                                        AS since
FROM core_assignment
