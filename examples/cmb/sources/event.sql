-- Page views of the app. The time stands in the third column, which has no name; page_tm is empty.
select
    'beh-' || _row   as event_id,
    column_3         as at,
    page_no          as name,
    'cmb'            as system,
    id               as party_id,
    'app'            as channel
from views
