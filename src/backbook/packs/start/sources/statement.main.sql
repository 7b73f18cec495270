-- One row per account and cycle.
select
    acct_no         as account_id,
    bill_date       as statement_on,
    due_date        as due_on,
    new_bal         as closing_balance,
    min_pay         as minimum_due,
    new_bal         as total_balance,
    paid            as paid_by_due,
    limit_amt       as credit_limit,
    overdue_periods as cycles_past_due
from statements
