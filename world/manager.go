package world

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"goc/ops"
)

// Manager is the name of the world's release manager.
const Manager = "发布经理"

// manager is the world's release manager, who sets the freezes and does what the gate asks people for: approvals, evidence
// that is missing, and now and then a broken glass. When a visitor is faster, there is nothing left to do.
type manager struct {
	client *gocClient
	say    func(who, format string, args ...any)
	pace   time.Duration // between being asked and answering

	mu    sync.Mutex
	asked map[string]bool // by change and rule: once each
}

func newManager(c *gocClient, say func(string, string, ...any), pace time.Duration) *manager {
	return &manager{client: c, say: say, pace: pace, asked: map[string]bool{}}
}

// glasses are the rules that the manager breaks the glass for, and why.
var glasses = map[string]string{
	"share":                    "an index cannot be rebuilt store by store; the replica stands by",
	"policy:firmware-at-night": "scanners lose their link without it; this cannot wait for the night",
}

// heldBy answers a decision that holds a release back; false when no answer of the manager's would help. It returns at once.
func (m *manager) heldBy(ctx context.Context, change string, d ops.Decision) bool {
	helps := false
	for _, r := range d.Reasons {
		if r.Effect == ops.EffectAllow {
			continue
		}
		act := m.answer(r)
		if act == nil {
			continue
		}
		helps = true
		if m.first(change + " " + r.Rule) {
			go func() {
				if pause(ctx, m.pace) {
					act(ctx, change)
				}
			}()
		}
	}
	return helps
}

func (m *manager) first(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	again := m.asked[key]
	m.asked[key] = true
	return !again
}

// answer is what the manager does about a reason, nil for nothing: what only takes time is waited for.
func (m *manager) answer(r ops.Reason) func(context.Context, string) {
	why := glasses[r.Rule]
	switch {
	case r.Rule == "approval":
		return m.approve
	case r.Rule == "review":
		return m.giveEvidence
	case why != "" && r.Effect == ops.EffectDeny:
		return func(ctx context.Context, change string) { m.breakGlass(ctx, change, why) }
	}
	return nil
}

func (m *manager) approve(ctx context.Context, change string) {
	body := map[string]any{"change_id": change, "note": "looked at it"}
	if m.client.do(ctx, http.MethodPost, "/api/v1/gate/approvals", body, nil) == nil {
		m.say(Manager, "approves %s", change)
	}
}

func (m *manager) giveEvidence(ctx context.Context, change string) {
	body := map[string]any{"reviews": map[string]string{"operation": "https://wiki.example.com/run/" + change}}
	if m.client.do(ctx, http.MethodPost, "/api/v1/changes/"+url.PathEscape(change)+"/reviews", body, nil) == nil {
		m.say(Manager, "gives the run book of %s", change)
	}
}

func (m *manager) breakGlass(ctx context.Context, change, reason string) {
	body := map[string]any{"change_id": change, "reason": reason, "duration": "10m"}
	if m.client.do(ctx, http.MethodPost, "/api/v1/gate/overrides", body, nil) == nil {
		m.say(Manager, "breaks the glass for %s: %s", change, reason)
	}
}

// closes sets the world's freezes, unless an earlier demo on the same data did: each day's lunch for the shop's front
// door, and a sale of three days ahead for all that is paid with.
func (m *manager) closes(ctx context.Context, now time.Time) error {
	var have ops.List[ops.Freeze]
	if err := m.client.do(ctx, http.MethodGet, "/api/v1/freezes", nil, &have); err != nil {
		return err
	}
	shanghai := time.FixedZone("CST", 8*60*60)
	y, month, day := now.In(shanghai).AddDate(0, 0, 3).Date()
	sale := time.Date(y, month, day, 18, 0, 0, 0, shanghai)
	for _, f := range []map[string]any{
		{
			"name": "午高峰 lunch rush", "scope": map[string]any{"service": []string{"shop-gateway"}}, "in_flight": "finish", "reason": "half of the day's orders come in these two hours",
			"schedule": map[string]string{"cron": "0 11 * * *", "duration": "2h", "timezone": "Asia/Shanghai"},
		},
		{
			"name": "会员日 members' day", "scope": map[string]any{"business": []string{"payment"}}, "in_flight": "pause", "reason": "three times the usual payments",
			"from": sale, "to": sale.Add(6 * time.Hour), "exempt": map[string]any{"roles": []string{"admin"}},
		},
	} {
		if slices.ContainsFunc(have.Items, func(h ops.Freeze) bool { return h.Name == f["name"] }) {
			continue
		}
		if err := m.client.do(ctx, http.MethodPost, "/api/v1/freezes", f, nil); err != nil {
			return fmt.Errorf("freeze %s: %w", f["name"], err)
		}
	}
	return nil
}

// denied says whether a policy holds a release back: waiting changes nothing about that.
func denied(d ops.Decision) bool {
	return slices.ContainsFunc(d.Reasons, func(r ops.Reason) bool {
		return r.Effect == ops.EffectDeny && strings.HasPrefix(r.Rule, "policy:")
	})
}
