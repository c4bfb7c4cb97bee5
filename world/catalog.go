package world

import (
	"fmt"
	"time"

	"goc/ops"
)

// city is one city of the chain, with the prefix of its stores' ids and their names.
type city struct {
	name, region, prefix string
	stores               [2]string
}

var cities = [5]city{
	{"上海", "east", "SH", [2]string{"世纪大道店", "徐家汇店"}},
	{"杭州", "east", "HZ", [2]string{"西湖文化广场店", "滨江店"}},
	{"北京", "north", "BJ", [2]string{"望京店", "中关村店"}},
	{"深圳", "south", "SZ", [2]string{"福田店", "南山店"}},
	{"成都", "west", "CD", [2]string{"春熙路店", "天府店"}},
}

// service is one row of the chain's services: who calls whom is what a customer's order really goes through.
type service struct {
	name, tier, business, owner string
	core                        bool
	calls                       []string
	work                        time.Duration // how long its own work takes when all is well
}

var services = [24]service{
	{"shop-gateway", "T0", "shop", "storefront", true, []string{"catalog-search", "cart", "checkout", "recommendation"}, 2 * time.Millisecond},
	{"catalog-search", "T1", "shop", "storefront", true, []string{"product-catalog"}, 4 * time.Millisecond},
	{"product-catalog", "T1", "shop", "storefront", true, nil, 3 * time.Millisecond},
	{"cart", "T0", "shop", "storefront", true, []string{"pricing", "inventory"}, 2 * time.Millisecond},
	{"pricing", "T0", "shop", "pricing", true, []string{"promotion"}, 2 * time.Millisecond},
	{"promotion", "T1", "shop", "pricing", true, nil, 2 * time.Millisecond},
	{"inventory", "T0", "shop", "supply", true, []string{"inventory-db"}, 2 * time.Millisecond},
	{"inventory-db", "T0", "shop", "dba", true, nil, 3 * time.Millisecond},
	{"checkout", "T0", "shop", "orders", true, []string{"payment-gateway", "order-core", "loyalty"}, 3 * time.Millisecond},
	{"order-core", "T0", "shop", "orders", true, []string{"order-db", "picking-dispatch", "rider-dispatch", "invoice", "notification"}, 3 * time.Millisecond},
	{"order-db", "T0", "shop", "dba", true, nil, 3 * time.Millisecond},
	{"payment-gateway", "T0", "payment", "payments", true, []string{"risk-control", "payment-channel"}, 4 * time.Millisecond},
	{"payment-channel", "T0", "payment", "payments", true, nil, 12 * time.Millisecond},
	{"risk-control", "T1", "payment", "payments", true, nil, 3 * time.Millisecond},
	{"picking-dispatch", "T1", "picking", "picking", true, []string{"picking-task"}, 2 * time.Millisecond},
	{"picking-task", "T1", "picking", "picking", true, nil, 3 * time.Millisecond},
	{"rider-dispatch", "T1", "riders", "riders", true, []string{"rider-location", "route-planner"}, 3 * time.Millisecond},
	{"rider-location", "T1", "riders", "riders", true, nil, 2 * time.Millisecond},
	{"route-planner", "T1", "riders", "riders", true, nil, 6 * time.Millisecond},
	{"pos-gateway", "T0", "pos", "stores", true, []string{"pricing", "payment-gateway"}, 2 * time.Millisecond},
	{"recommendation", "T2", "shop", "growth", false, nil, 5 * time.Millisecond},
	{"loyalty", "T2", "shop", "growth", false, nil, 3 * time.Millisecond},
	{"invoice", "T2", "shop", "finance", false, nil, 3 * time.Millisecond},
	{"notification", "T2", "shop", "growth", false, nil, 3 * time.Millisecond},
}

// soft are the callees whose failure does not fail their caller: an order without a recommendation is still an order.
var soft = map[string]bool{"recommendation": true, "loyalty": true, "invoice": true, "notification": true}

// deviceKind is one kind of a store's devices.
type deviceKind struct {
	name, model, firmware string
	n                     int
}

// handheld says whether it has a battery.
func (k *deviceKind) handheld() bool { return k.name == "rider_terminal" || k.name == "scanner" }

// deviceKinds says how many of each kind a store has: 50 together.
var deviceKinds = [5]deviceKind{
	{"pos", "P-300", "4.1.0", 8},
	{"scanner", "S-20", "2.7.3", 18},
	{"rider_terminal", "R-8", "7.0.2", 12},
	{"scale", "W-5", "1.9.0", 8},
	{"label_gateway", "L-1", "3.3.1", 4},
}

// window is the range over which the indicators' rates run. It bounds how fast a fault can be seen.
const window = "8s"

// Catalog is what exists in the embedded world, as a catalog file would say it.
func Catalog() *ops.Catalog {
	c := &ops.Catalog{}
	for _, s := range services {
		c.Services = append(c.Services, ops.Service{
			Name: s.name, Tier: s.tier, Core: s.core, Business: s.business, Owner: s.owner, Calls: s.calls, Indicators: indicators(s.name),
		})
	}
	for _, ct := range cities {
		for i, name := range ct.stores {
			c.Stores = append(c.Stores, ops.Store{
				ID: fmt.Sprintf("%s-%03d", ct.prefix, i+1), Name: name, City: ct.name, Region: ct.region, Timezone: "Asia/Shanghai", Network: "isp-" + ct.prefix, Devices: 50,
			})
		}
	}
	for _, k := range deviceKinds {
		kind := ops.DeviceKind{Name: k.name, Interval: ops.Duration(time.Second), Grace: ops.Duration(2 * time.Second)}
		if k.handheld() {
			low := 0.15
			kind.Telemetry = &ops.Telemetry{Battery: &ops.Limit{Low: &low}}
		}
		c.DeviceKinds = append(c.DeviceKinds, kind)
	}
	return c
}

// orderWindow is longer: a store takes some two orders a second, and eight seconds of that vary by half.
const orderWindow = "20s"

// indicators are the PromQL expressions by which GOC watches one service, per store and caller.
func indicators(service string) []ops.Indicator {
	per := func(metric string) string {
		return fmt.Sprintf(`sum by (store, caller) (rate(%s{service=%q}[%s]))`, metric, service, window)
	}
	out := []ops.Indicator{
		{Name: "success_ratio", Expr: "1 - " + per("shop_errors_total") + " / (" + per("shop_requests_total") + " > 0)"},
		{Name: "latency_seconds", Expr: per("shop_request_seconds_sum") + " / (" + per("shop_request_seconds_count") + " > 0)"},
		{Name: "requests_per_s", Expr: per("shop_requests_total"), Good: ops.GoodNone},
	}
	if service == "shop-gateway" {
		out = append(out, ops.Indicator{Name: "orders_per_min", Expr: fmt.Sprintf(`60 * sum by (store) (rate(shop_orders_total{result="ok"}[%s]))`, orderWindow), Good: ops.GoodHigher})
	}
	return out
}
