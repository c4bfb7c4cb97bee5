package web_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"goc/ops"
	"goc/web"
)

// What one build of the situation costs for 500 stores and 200 services, and how large it is. It is built at most twice
// a second, however many look.
func BenchmarkASituationOf500Stores(b *testing.B) {
	c := &ops.Catalog{}
	var fleet []ops.FleetGroup
	for i := range 500 {
		id := fmt.Sprintf("S-%03d", i)
		c.Stores = append(c.Stores, ops.Store{ID: id, City: fmt.Sprintf("city-%d", i%20), Hours: "08:00-22:00", Timezone: "Asia/Shanghai"})
		fleet = append(fleet, ops.FleetGroup{Group: map[string]string{"store": id}, Total: 50, States: map[string]int{"online": 48, "offline": 2}})
	}
	for i := range 200 {
		c.Services = append(c.Services, ops.Service{Name: fmt.Sprintf("service-%03d", i), Tier: fmt.Sprintf("T%d", i%4)})
	}
	if err := c.Index(); err != nil {
		b.Fatal(err)
	}
	size := 0
	for b.Loop() {
		body, err := json.Marshal(web.Assemble(web.FactsOf(start, c, nil, fleet)))
		if err != nil {
			b.Fatal(err)
		}
		size = len(body)
	}
	b.ReportMetric(float64(size), "bytes/situation")
}

// What a CI job waits for the gate's answer apart from the decision itself: token, decoding, routing and the socket.
func BenchmarkTheGateOverHTTP(b *testing.B) {
	w := newWorld(b)
	b.ResetTimer()
	for b.Loop() {
		w.must(200, w.do(ops.CI, "POST", "/api/v1/gate/check", `{"kind":"release","service":"pay","version":"1.2.3"}`))
	}
}
