-- One row per posting; what raises the debt is positive.
select
    txn_id      as transaction_id,
    acct_no     as account_id,
    post_date   as posted_at,
    amt         as amount,
    case txn_code
        when '100' then 'purchase'
        when '200' then 'payment'
        when '300' then 'cash_advance'
        when '400' then 'fee'
    end         as kind,
    txn_code    as code,
    mcc
from transactions
