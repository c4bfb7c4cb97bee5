// Package voice keeps what customers and store staff say, sorts it into topics, and tells when a topic is louder than
// normal.
package voice

import (
	"fmt"
	"strings"

	"goc/ops"
)

// Config is the section `voice:`. Its zero value works, with the built-in topics.
type Config struct {
	// Topics replaces the built-in topics. The first whose keyword stands in a text is the text's topic; what fits
	// none is of the topic "other".
	Topics []Topic `yaml:"topics"`
	// Max is how many voices are kept, at most those of the last 24 hours; default 100,000.
	Max int `yaml:"max"`
}

// Topic is a sort of complaint, and the words by which it is known.
type Topic struct {
	Name     string   `yaml:"name"`
	Keywords []string `yaml:"keywords"` // parts of the text, whatever the case
	Services []string `yaml:"services"` // what it is likely about, when a voice does not say; empty is anything
}

// Bounds of the configuration, and of one voice.
const (
	MaxTopics   = 100
	MaxKeywords = 200  // a topic
	MaxKeyword  = 100  // bytes
	MaxText     = 2000 // bytes
	MaxName     = 128  // bytes of store, service, channel and topic
	MaxBatch    = 1000
	maxBytes    = 32 << 20 // of all texts kept; the oldest go first
	other       = "other"
)

// Validate says which field is wrong.
func (c Config) Validate() error {
	if len(c.Topics) > MaxTopics {
		return ops.Errorf(ops.Invalid, "may list at most %d topics", MaxTopics).At("voice.topics")
	}
	if c.Max < 0 || c.Max > 1_000_000 {
		return ops.Errorf(ops.Invalid, "must be between 1 and 1,000,000").At("voice.max")
	}
	seen := map[string]bool{other: true}
	for i, t := range c.Topics {
		place := fmt.Sprintf("voice.topics[%d]", i)
		if t.Name == "" || len(t.Name) > MaxName || seen[t.Name] {
			return ops.Errorf(ops.Invalid, "must be a name of its own with 1 to %d bytes, other than other", MaxName).At(place + ".name")
		}
		seen[t.Name] = true
		if len(t.Keywords) == 0 || len(t.Keywords) > MaxKeywords {
			return ops.Errorf(ops.Invalid, "must list 1 to %d keywords", MaxKeywords).At(place + ".keywords")
		}
		for j, k := range t.Keywords {
			if strings.TrimSpace(k) == "" || len(k) > MaxKeyword {
				return ops.Errorf(ops.Invalid, "must have 1 to %d bytes", MaxKeyword).At(fmt.Sprintf("%s.keywords[%d]", place, j))
			}
		}
	}
	return nil
}

// builtin are the topics of a shop that delivers in 30 minutes.
func builtin() []Topic {
	return []Topic{
		{Name: "payment fails", Keywords: []string{
			"payment fail", "payment declin", "payment error", "cannot pay", "can't pay", "cant pay", "could not pay", "unable to pay", "card declined", "charged twice", "double charge",
			"支付失败", "付款失败", "付不了", "无法支付", "不能支付", "支付不了", "重复扣款", "扣款失败", "刷卡失败",
		}},
		{Name: "price wrong", Keywords: []string{
			"wrong price", "price is wrong", "price wrong", "price differ", "different price", "overcharged", "coupon", "discount not", "discount missing", "promotion not",
			"价格错", "价格不对", "价格不符", "价格不一样", "多收", "优惠券", "没有优惠", "折扣不对", "标价",
		}},
		{Name: "order late", Keywords: []string{
			"order late", "order is late", "still waiting", "not arrived", "not delivered", "delivery late", "late delivery", "delayed", "where is my order", "where is the rider", "took an hour",
			"送晚", "迟到", "超时", "还没到", "还没送", "没送到", "配送慢", "骑手",
		}},
		{Name: "checkout slow", Keywords: []string{
			"checkout slow", "slow checkout", "checkout is slow", "long queue", "long line", "queue at", "till is slow", "scanner", "self-checkout", "self checkout",
			"收银慢", "结账慢", "排队", "收银台", "扫码枪", "扫不了", "自助结账",
		}},
		{Name: "out of stock", Keywords: []string{
			"out of stock", "sold out", "not in stock", "missing item", "item missing", "substitut", "empty shelf", "empty shelves",
			"缺货", "没货", "无货", "售罄", "少了", "漏发", "断货",
		}},
		{Name: "refund", Keywords: []string{"refund", "money back", "退款", "退钱", "退货"}},
		{Name: "quality", Keywords: []string{"rotten", "mouldy", "moldy", "expired", "spoiled", "not fresh", "broken eggs", "damaged", "不新鲜", "烂了", "过期", "变质", "发霉", "破损"}},
		{Name: "app error", Keywords: []string{
			"app crash", "app error", "error message", "app is down", "site is down", "not load", "cannot log in", "can't log in", "cannot login", "white screen", "blank page", "timed out", "timeout", "crash",
			"闪退", "白屏", "打不开", "登录不了", "登不上", "加载不出", "报错", "卡死", "系统错误", "网络错误",
		}},
	}
}
