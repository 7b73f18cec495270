-- What happened in the month after: known on 2005-10-31 and not a day before.
select
    'uci'                          as system,
    ID                             as party_id,
    date '2005-10-31'              as known_on,
    "default.payment.next.month"   as default_next_month
from clients
