-- The wide table as it stood on 2005-09-30. The file names September's delay PAY_0; there is no PAY_1.
-- Codes of delay: -2 no use, -1 paid in full, 0 the minimum was paid, 1 and up: months late.
select
    'uci'              as system,
    ID                 as party_id,
    date '2005-09-30'  as known_on,
    LIMIT_BAL          as limit_amount,
    SEX                as sex,
    EDUCATION          as education,
    MARRIAGE           as marriage,
    AGE                as age,
    PAY_0              as pay_code_sep,
    PAY_2              as pay_code_aug,
    PAY_3              as pay_code_jul,
    PAY_4              as pay_code_jun,
    PAY_5              as pay_code_may,
    PAY_6              as pay_code_apr
from clients
