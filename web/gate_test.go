package web_test

import (
	"testing"

	"goc/ops"
)

// Who may post a change's events is told so, and who may not why: buttons follow it.
func TestAStandingSaysWhoMayMoveTheChange(t *testing.T) {
	w := newWorld(t)
	for role, may := range map[ops.Role]bool{ops.Viewer: false, ops.Responder: true, ops.Commander: true, ops.CI: true, ops.Admin: true} {
		st := w.must(200, w.do(role, "GET", "/api/v1/changes/CHG-1/gate", "")).json(t)
		why, _ := st["why_not_move"].(string)
		if st["may_move"] != may || (why == "") != may {
			t.Errorf("%s: may_move %v, why not %q", role, st["may_move"], why)
		}
		status := w.do(role, "POST", "/api/v1/changes/CHG-1/events", `{"event":"pause"}`).StatusCode
		if allowed := status != 403; allowed != may {
			t.Errorf("%s: the event answers %d", role, status)
		}
	}
	held := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/gate/held", "")).json(t)["items"].([]any)
	if one := held[0].(map[string]any); one["may_move"] != false || one["why_not_move"] != "this takes the role responder" {
		t.Errorf("what is held says %v", one)
	}
}
