-- Page views of the app. The time stands in the third column, which the file leaves without a name.
select
    'beh-' || _row   as event_id,
    seen_at          as at,
    page_no          as name,
    'cmb'            as system,
    id               as party_id,
    'app'            as channel
from views
