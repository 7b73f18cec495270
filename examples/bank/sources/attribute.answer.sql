-- What came of each call: known the day after the end of its month, and not before.
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
    month_end + 1                     as known_on,
    duration                          as call_seconds,
    y                                 as subscribed
from dated
