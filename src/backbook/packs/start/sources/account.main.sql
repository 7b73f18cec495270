-- One row per card account. The left side is your column, the right side is the contract's.
-- `backbook dictionary --xlsx dictionary.xlsx` lists every table and column.
select
    acct_no                       as account_id,      -- ids stay text: nineteen digits survive
    'core'                        as system,
    cust_no                       as party_id,
    card_product                  as product_id,
    open_date                     as opened_on,
    closed_date                   as closed_on,
    case acct_status when '0' then 'open' when '9' then 'closed' end as status,
    limit_amt                     as credit_limit,
    cur_bal                       as balance
from accounts
