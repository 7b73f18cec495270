-- Customers of the card core. The core keeps a history (拉链表): a change closes one row and opens another.
-- A file tells both; the open row (JSRQ = 99991231) is the new truth, the closed one says nothing new.
SELECT
    'core'                                                      AS system,
    KHH                                                         AS party_id,
    KHH                                                         AS customer_no,
    KHXM                                                        AS full_name,
    CSRQ                                                        AS birth_date,
    CASE XB WHEN '1' THEN 'male' WHEN '2' THEN 'female' END     AS gender,
    ZJHM                                                        AS id_document,     -- 15 or 18 digits; hashed by the load
    SJH                                                         AS phone,
    JTDZ                                                        AS address,
    CASE left(CSDM, 4)                                                              -- 行政区划, four digits of six
        WHEN '3101' THEN '上海市' WHEN '1101' THEN '北京市' WHEN '4403' THEN '深圳市' WHEN '4401' THEN '广州市'
        WHEN '3301' THEN '杭州市' WHEN '5101' THEN '成都市' WHEN '4201' THEN '武汉市' WHEN '3201' THEN '南京市'
        WHEN '3205' THEN '苏州市' WHEN '5001' THEN '重庆市' WHEN '6101' THEN '西安市' WHEN '1201' THEN '天津市'
        WHEN '4301' THEN '长沙市' WHEN '4101' THEN '郑州市' WHEN '3702' THEN '青岛市' WHEN '2101' THEN '沈阳市'
        WHEN '3501' THEN '福州市' WHEN '5301' THEN '昆明市' WHEN '4501' THEN '南宁市' WHEN '3401' THEN '合肥市'
        WHEN '3601' THEN '南昌市' WHEN '1301' THEN '石家庄市' WHEN '5201' THEN '贵阳市' WHEN '6201' THEN '兰州市'
        WHEN '6401' THEN '银川市' WHEN '4103' THEN '洛阳市'
    END                                                         AS city,
    left(CSDM, 2)                                               AS region,
    YZBM                                                        AS postcode,
    CASE XLDM WHEN '10' THEN '硕士及以上' WHEN '20' THEN '本科' WHEN '30' THEN '大专' ELSE '其他' END AS education,
    CASE HYZK WHEN '10' THEN '未婚' WHEN '20' THEN '已婚' END   AS marital_status,
    CASE ZYDM
        WHEN '10' THEN '职员' WHEN '11' THEN '专业人员' WHEN '12' THEN '公务员' WHEN '13' THEN '个体经营'
        WHEN '14' THEN '工人' WHEN '15' THEN '服务业' WHEN '16' THEN '学生' WHEN '17' THEN '退休'
    END                                                         AS occupation,
    GZDW                                                        AS employer,
    YSR                                                         AS income_monthly,
    KHRQ                                                        AS created_at
FROM core_customer
WHERE JSRQ = '99991231'
