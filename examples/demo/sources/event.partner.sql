-- Orders in the partner shop are touches too.
SELECT
    order_no                                                    AS event_id,
    strptime(ordered_at, '%d/%m/%Y %H:%M:%S')                   AS at,
    'shop_order'                                                AS name,
    'partner'                                                   AS system,
    member_no                                                   AS party_id,
    'partner_shop'                                              AS channel,
    '{"total":' || total || '}'                                 AS properties
FROM shop_order
