package main

import (
	"strings"
	"testing"
	"time"

	"goc/ops"
)

// A broken glass reaches the timeline of the incident in its scope through the outbox, and leaves a review to do.
func TestABrokenGlassIsToldInTheWarRoom(t *testing.T) {
	config, listen := rolloutYAML(t)
	p := serve(t, config, listen)
	var inc ops.Incident
	if code := p.call("POST", "/api/v1/incidents", map[string]any{"title": "tills fail", "severity": "P2", "scope": map[string]any{"city": []string{"上海"}}}, &inc); code/100 != 2 {
		t.Fatalf("declaring answered %d:\n%s", code, p.out)
	}
	var ch ops.Change
	p.call("POST", "/api/v1/changes", map[string]any{"kind": "price", "title": "autumn", "scope": map[string]any{"store": []string{"SH-03"}}}, &ch)
	if code := p.call("POST", "/api/v1/gate/overrides", map[string]any{"change_id": ch.ID, "reason": "wrong prices go out"}, nil); code != 201 {
		t.Fatalf("the override answered %d:\n%s", code, p.out)
	}
	p.until(20*time.Second, "the war room knows", func() bool {
		var timeline ops.List[ops.Entry]
		p.call("GET", "/api/v1/incidents/"+inc.ID+"/timeline", nil, &timeline)
		for _, e := range timeline.Items {
			if strings.Contains(e.Text, "wrong prices go out") {
				return true
			}
		}
		return false
	})
	var open ops.List[ops.Override]
	if p.call("GET", "/api/v1/gate/overrides?state=open", nil, &open); len(open.Items) != 1 || open.Items[0].FollowUp == nil {
		t.Errorf("left to do: %+v", open.Items)
	}
	var h ops.GateHygiene
	if p.call("GET", "/api/v1/gate/hygiene", nil, &h); len(h.Items) != 1 || h.Items[0].Kind != "override_not_followed_up" {
		t.Errorf("hygiene lists %+v", h.Items)
	}
}
