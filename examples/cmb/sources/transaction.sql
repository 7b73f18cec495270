-- Income and spending by person; an account is made for each. B is spent and written below zero, C is received.
-- Here what is spent raises the balance, so the sign turns round.
select
    'cmb'                                                as system,
    id                                                   as party_id,
    'trd-' || _row                                       as transaction_id,
    trx_tm                                               as posted_at,
    -cny_trx_amt::decimal(18, 2)                         as amount,
    case Dat_Flg1_Cd when 'B' then 'purchase' else 'payment' end as kind,
    Trx_Cod1_Cd                                          as code,
    Trx_Cod2_Cd                                          as mcc,
    Dat_Flg3_Cd                                          as entry
from trades
