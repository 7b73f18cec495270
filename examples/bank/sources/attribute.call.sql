-- The wide table: a line per call, what was known before it. The file tells the month of a call and not its year, but
-- its lines stand in the order of the calls: where the month goes back, a new year has begun. A call counts from
-- the last day of its month.
with placed as (
    select *, list_position(['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], "month") as month_number
    from calls
), turned as (
    select *, case when month_number < lag(month_number) over (order by _row) then 1 else 0 end as turn
    from placed
), dated as (
    select *, last_day(make_date(2008 + sum(turn) over (order by _row)::int, month_number, 1)) as month_end
    from turned
)
select
    'campaign'                        as system,
    lpad(_row::varchar, 6, '0')       as party_id,
    month_end                         as known_on,
    age,
    job,
    marital,
    education,
    "default"                         as in_default,
    housing                           as housing_loan,
    loan                              as personal_loan,
    contact                           as telephone,
    "month"                           as calendar_month,
    day_of_week                       as weekday,
    campaign                          as calls_now,
    nullif(pdays, '999')              as days_since_call,
    previous                          as calls_before,
    poutcome                          as answer_before,
    "emp.var.rate"                    as employment_change,
    "cons.price.idx"                  as price_index,
    "cons.conf.idx"                   as confidence_index,
    euribor3m                         as euribor_3m,
    "nr.employed"                     as employed
from dated
