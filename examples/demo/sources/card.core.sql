-- Cards, by token. S is a supplementary card: its holder (CKRKHH) is another customer, the debtor stays the account's.
SELECT
    KPH                                                         AS card_id,
    ZH                                                          AS account_id,
    'core'                                                      AS system,
    CKRKHH                                                      AS party_id,
    FKRQ                                                        AS issued_on,
    JHRQ                                                        AS activated_on,
    YXQ                                                         AS expires_on,
    ZXRQ                                                        AS cancelled_on,
    YKPH                                                        AS replaces_card_id,
    KPLX = 'S'                                                  AS is_supplementary,
    ZCK = 'Y'                                                   AS is_policy_card
FROM core_card
