-- Six statements of each client, one per month-end. BILL_AMT1 is September's bill, BILL_AMT6 April's.
-- PAY_AMT1 was paid in September: it pays August's bill. What pays September's bill is not in the file.
-- The file was drawn on 2005-09-30, so all of it was known then. Overpaid bills (below zero) are kept.
-- Codes of delay: -2, -1 and 0 are not late; 1 and up count the months late.
-- The file tells one limit, September's, so the earlier statements have none.
select
    'uci'                             as system,
    ID                                as party_id,
    date '2005-04-30'                 as statement_on,
    date '2005-09-30'                 as known_on,
    BILL_AMT6                         as closing_balance,
    PAY_AMT5                          as paid_by_due,
    PAY_AMT6                          as payments,
    null                              as credit_limit,
    greatest(PAY_6::int, 0)          as cycles_past_due
from clients
union all
select
    'uci'                             as system,
    ID                                as party_id,
    date '2005-05-31'                 as statement_on,
    date '2005-09-30'                 as known_on,
    BILL_AMT5                         as closing_balance,
    PAY_AMT4                          as paid_by_due,
    PAY_AMT5                          as payments,
    null                              as credit_limit,
    greatest(PAY_5::int, 0)          as cycles_past_due
from clients
union all
select
    'uci'                             as system,
    ID                                as party_id,
    date '2005-06-30'                 as statement_on,
    date '2005-09-30'                 as known_on,
    BILL_AMT4                         as closing_balance,
    PAY_AMT3                          as paid_by_due,
    PAY_AMT4                          as payments,
    null                              as credit_limit,
    greatest(PAY_4::int, 0)          as cycles_past_due
from clients
union all
select
    'uci'                             as system,
    ID                                as party_id,
    date '2005-07-31'                 as statement_on,
    date '2005-09-30'                 as known_on,
    BILL_AMT3                         as closing_balance,
    PAY_AMT2                          as paid_by_due,
    PAY_AMT3                          as payments,
    null                              as credit_limit,
    greatest(PAY_3::int, 0)          as cycles_past_due
from clients
union all
select
    'uci'                             as system,
    ID                                as party_id,
    date '2005-08-31'                 as statement_on,
    date '2005-09-30'                 as known_on,
    BILL_AMT2                         as closing_balance,
    PAY_AMT1                          as paid_by_due,
    PAY_AMT2                          as payments,
    null                              as credit_limit,
    greatest(PAY_2::int, 0)          as cycles_past_due
from clients
union all
select
    'uci'                             as system,
    ID                                as party_id,
    date '2005-09-30'                 as statement_on,
    date '2005-09-30'                 as known_on,
    BILL_AMT1                         as closing_balance,
    null                              as paid_by_due,
    PAY_AMT1                          as payments,
    LIMIT_BAL                         as credit_limit,
    greatest(PAY_0::int, 0)          as cycles_past_due
from clients
