"""The words a made-up world is written in: names with their pinyin, places, merchants, employers.

Lists only. The surnames stand in the order of their frequency; rare characters and two compound surnames are
there because they break real systems (𨰻 and 䶮 have no place in GBK).
"""

from __future__ import annotations

SURNAMES = (
    "王wang 李li 张zhang 刘liu 陈chen 杨yang 黄huang 赵zhao 吴wu 周zhou 徐xu 孙sun 马ma 朱zhu 胡hu 郭guo 何he 林lin 高gao 罗luo "
    "郑zheng 梁liang 谢xie 宋song 唐tang 许xu 韩han 邓deng 冯feng 曹cao 彭peng 曾zeng 肖xiao 田tian 董dong 潘pan 袁yuan 蔡cai 蒋jiang 余yu "
    "于yu 杜du 叶ye 程cheng 魏wei 苏su 吕lv 丁ding 任ren 卢lu 姚yao 沈shen 钟zhong 姜jiang 崔cui 谭tan 陆lu 范fan 汪wang 廖liao "
    "石shi 金jin 韦wei 贾jia 夏xia 付fu 方fang 邹zou 熊xiong 白bai 孟meng 秦qin 邱qiu 侯hou 江jiang 尹yin 薛xue 闫yan 段duan 雷lei "
    "龙long 黎li 史shi 陶tao 贺he 毛mao 郝hao 顾gu 龚gong 邵shao 万wan 欧阳ouyang 上官shangguan 令狐linghu 仉zhang 逯lu 亓qi 爨cuan"
)
GIVEN_MEN = (
    "伟wei 强qiang 磊lei 军jun 洋yang 勇yong 杰jie 涛tao 明ming 超chao 刚gang 平ping 辉hui 鹏peng 华hua 飞fei 鑫xin 波bo 斌bin 宇yu "
    "浩hao 凯kai 健jian 俊jun 帆fan 帅shuai 旭xu 宁ning 龙long 林lin 博bo 志zhi 文wen 建jian 国guo 海hai 晨chen 峰feng 阳yang 子zi "
    "嘉jia 家jia 泽ze 轩xuan 宏hong 瑞rui 天tian 成cheng 春chun 东dong 毅yi 翔xiang 雷lei 庆qing 昊hao 喆zhe 堃kun 赟yun 䶮yan 𨰻li"
)
GIVEN_WOMEN = (
    "芳fang 娜na 敏min 静jing 丽li 艳yan 娟juan 霞xia 燕yan 玲ling 红hong 英ying 梅mei 莉li 丹dan 萍ping 雪xue 婷ting 慧hui 颖ying "
    "洁jie 倩qian 琳lin 晶jing 欣xin 怡yi 佳jia 梦meng 雨yu 琪qi 露lu 璐lu 瑶yao 思si 晓xiao 小xiao 文wen 玉yu 秀xiu 桂gui "
    "春chun 月yue 淑shu 云yun 莹ying 蓉rong 蕾lei 薇wei 菲fei 媛yuan 悦yue 涵han 诗shi 若ruo 亚ya 丹dan 妍yan 翎ling 婧jing 嫕yi"
)
# How many at the end of each list are rare.
RARE_MEN, RARE_WOMEN = 5, 3

# city, province, postcode, a code of four digits, size (1 the largest), share of the book, pinyin, districts
CITIES = (
    ("上海市", "上海市", "200000", "3101", 1, 9.0, "Shanghai", "浦东新区 徐汇区 静安区 闵行区"),
    ("北京市", "北京市", "100000", "1101", 1, 8.0, "Beijing", "朝阳区 海淀区 西城区 丰台区"),
    ("深圳市", "广东省", "518000", "4403", 1, 8.0, "Shenzhen", "南山区 福田区 宝安区 龙岗区"),
    ("广州市", "广东省", "510000", "4401", 1, 7.0, "Guangzhou", "天河区 越秀区 海珠区 番禺区"),
    ("杭州市", "浙江省", "310000", "3301", 1, 5.0, "Hangzhou", "西湖区 滨江区 余杭区 拱墅区"),
    ("成都市", "四川省", "610000", "5101", 2, 5.0, "Chengdu", "武侯区 锦江区 青羊区 成华区"),
    ("武汉市", "湖北省", "430000", "4201", 2, 4.5, "Wuhan", "洪山区 江汉区 武昌区 汉阳区"),
    ("南京市", "江苏省", "210000", "3201", 2, 4.5, "Nanjing", "鼓楼区 玄武区 建邺区 江宁区"),
    ("苏州市", "江苏省", "215000", "3205", 2, 4.0, "Suzhou", "姑苏区 吴中区 虎丘区 相城区"),
    ("重庆市", "重庆市", "400000", "5001", 2, 4.5, "Chongqing", "渝中区 江北区 南岸区 沙坪坝区"),
    ("西安市", "陕西省", "710000", "6101", 2, 4.0, "Xian", "雁塔区 碑林区 未央区 莲湖区"),
    ("天津市", "天津市", "300000", "1201", 2, 3.5, "Tianjin", "和平区 南开区 河西区 滨海新区"),
    ("长沙市", "湖南省", "410000", "4301", 2, 3.5, "Changsha", "岳麓区 芙蓉区 天心区 雨花区"),
    ("郑州市", "河南省", "450000", "4101", 2, 3.5, "Zhengzhou", "金水区 二七区 中原区 管城区"),
    ("青岛市", "山东省", "266000", "3702", 2, 3.0, "Qingdao", "市南区 市北区 崂山区 黄岛区"),
    ("沈阳市", "辽宁省", "110000", "2101", 2, 3.0, "Shenyang", "和平区 沈河区 皇姑区 铁西区"),
    ("福州市", "福建省", "350000", "3501", 3, 2.5, "Fuzhou", "鼓楼区 台江区 仓山区 晋安区"),
    ("昆明市", "云南省", "650000", "5301", 3, 2.5, "Kunming", "五华区 盘龙区 官渡区 西山区"),
    ("南宁市", "广西壮族自治区", "530000", "4501", 3, 2.0, "Nanning", "青秀区 兴宁区 西乡塘区 江南区"),
    ("合肥市", "安徽省", "230000", "3401", 3, 2.5, "Hefei", "蜀山区 包河区 庐阳区 瑶海区"),
    ("南昌市", "江西省", "330000", "3601", 3, 2.0, "Nanchang", "东湖区 西湖区 青山湖区 红谷滩区"),
    ("石家庄市", "河北省", "050000", "1301", 3, 2.0, "Shijiazhuang", "长安区 桥西区 裕华区 新华区"),
    ("贵阳市", "贵州省", "550000", "5201", 3, 1.5, "Guiyang", "南明区 云岩区 观山湖区 花溪区"),
    ("兰州市", "甘肃省", "730000", "6201", 3, 1.5, "Lanzhou", "城关区 七里河区 西固区 安宁区"),
    ("银川市", "宁夏回族自治区", "750000", "6401", 3, 1.0, "Yinchuan", "兴庆区 金凤区 西夏区 贺兰县"),
    ("洛阳市", "河南省", "471000", "4103", 3, 2.0, "Luoyang", "西工区 涧西区 老城区 洛龙区"),
)
ROADS = (
    "人民路 Renmin Rd,解放路 Jiefang Rd,中山路 Zhongshan Rd,建设路 Jianshe Rd,科技路 Keji Rd,文化路 Wenhua Rd,和平路 Heping Rd,"
    "新华路 Xinhua Rd,长江路 Changjiang Rd,黄河路 Huanghe Rd,光明街 Guangming St,学府路 Xuefu Rd,迎宾大道 Yingbin Ave,滨河路 Binhe Rd,"
    "胜利街 Shengli St,花园路 Huayuan Rd,团结路 Tuanjie Rd,高新大道 Gaoxin Ave,东风路 Dongfeng Rd,民主路 Minzhu Rd"
)
EMPLOYERS = (
    "华兴电子有限公司 启明软件股份有限公司 安达物流有限公司 第三中学 市第一人民医院 恒信会计师事务所 蓝海贸易有限公司 金桥建筑工程公司 "
    "绿源餐饮管理公司 远航汽车销售公司 区税务局 城市公交集团 新城物业公司 博文教育咨询 众力机械厂 个体工商户 云帆网络科技 瑞康医药公司"
)

# What a customer buys: category, MCC, mean ticket against the person's own, spread, share online, merchants.
CATEGORIES = (
    ("餐饮", "5812", 0.45, 0.7, 0.35, "老地方川菜馆 小南国 张亮麻辣烫 巷口面馆 海底鲜火锅 外卖到家"),
    ("超市", "5411", 0.55, 0.6, 0.20, "永惠超市 大润家 便利蜂鸟 社区生鲜 万客隆"),
    ("网购", "5311", 0.90, 0.9, 1.00, "淘货网 京选商城 拼得多 唯品汇 抖选商城"),
    ("加油", "5541", 0.90, 0.3, 0.05, "中石化加油站 中石油加油站 壳安加油站"),
    ("交通", "4121", 0.15, 0.6, 0.90, "滴答出行 城市地铁 公交集团 共享单车"),
    ("铁路航空", "4511", 2.60, 0.6, 0.95, "铁路客票 东方航空旅行 南海航空 携行旅行"),
    ("酒店", "7011", 2.20, 0.6, 0.70, "如归酒店 华居酒店 锦程大酒店"),
    ("服饰", "5651", 1.30, 0.7, 0.45, "海兰之家 优衣坊 太平鸟羽 百货大楼"),
    ("数码家电", "5732", 4.50, 0.8, 0.70, "苏宁易家 国美优选 小米之屋 果粉数码"),
    ("医疗", "8062", 1.50, 0.9, 0.10, "市第一医院 中心医院 口腔门诊"),
    ("药店", "5912", 0.40, 0.6, 0.25, "老百姓大药堂 海王药房"),
    ("教育", "8299", 3.50, 0.8, 0.55, "学而优培训 新方向教育 驾驶学校"),
    ("娱乐", "7832", 0.50, 0.6, 0.70, "万大影城 欢乐谷 KTV量贩"),
    ("通讯水电", "4900", 0.60, 0.5, 0.95, "移动话费 电力公司 燃气公司 自来水公司"),
    ("美容", "7230", 0.80, 0.7, 0.15, "丝域美发 克丽缇美容"),
    ("珠宝", "5944", 7.00, 0.8, 0.15, "周大生金 老凤翔"),
    ("批发", "5999", 3.00, 0.9, 0.20, "义乌小商品 建材批发部 烟酒商行"),
    ("游戏", "7994", 0.60, 0.9, 1.00, "腾跃游戏 网意游戏"),
)
# Tastes: how often each category above is bought, for five kinds of household.
TASTES = (
    (22, 14, 20, 2, 16, 3, 2, 4, 1.5, 1, 1.5, 1, 4, 5, 2, 0.2, 0.4, 2.0),
    (12, 24, 16, 6, 6, 2, 1, 5, 2.0, 4, 3.0, 4, 3, 9, 2, 0.3, 0.5, 0.4),
    (14, 8, 12, 12, 6, 8, 6, 4, 2.5, 2, 1.0, 2, 4, 5, 2, 0.6, 1.5, 0.4),
    (10, 12, 26, 3, 8, 2, 1, 9, 2.5, 2, 2.0, 2, 3, 6, 7, 0.6, 0.6, 0.8),
    (16, 10, 14, 8, 6, 2, 1, 3, 2.0, 2, 1.5, 1, 5, 5, 2, 0.5, 9.0, 3.0),
)
ABROAD = (
    ("JP", "Tokyo", "JPY", 20.5),
    ("HK", "Hong Kong", "HKD", 1.09),
    ("TH", "Bangkok", "THB", 4.9),
    ("US", "New York", "USD", 0.139),
)

COMPLAINTS = (
    ("fee", "年费没有提前告诉我，要求退回。"),
    ("instalment", "分期手续费和说的不一样，\n希望解释清楚。"),
    ("calls", '营销电话太多了,"已经说过不要"还是打。'),
    ("limit", "额度太低，申请了几次都没通过。"),
    ("app", "App 登录不上，还款页面一直转圈。"),
    ("collection", "已经还款了还在打催收电话。"),
)


def pairs(text: str) -> tuple[list[str], list[str]]:
    """The words and their pinyin: `王wang` is ("王", "Wang")."""
    words, sounds = [], []
    for piece in text.split():
        sound = "".join(letter for letter in piece if letter.isascii())
        words.append(piece.removesuffix(sound))
        sounds.append(sound.capitalize())
    return words, sounds
