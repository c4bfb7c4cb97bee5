package world

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"goc/ops"
)

// person is the world's on-call, who does what a person would so that the whole story can be watched. When somebody
// else takes an incident up first, it is theirs.
type person struct {
	name   string
	client *gocClient
	say    func(who, format string, args ...any)
	pace   time.Duration // between two of its actions
	cases  map[string]*case_
}

// case_ is how far the person is with one incident.
type case_ struct {
	step int
	next time.Time
}

// patience is after how long the person helps with an incident that somebody else acknowledged.
const patience = 3 * time.Minute

// work looks at the open incidents every second until ctx ends.
func (p *person) work(ctx context.Context) {
	for pause(ctx, time.Second) {
		open, err := p.client.incidents(ctx)
		if err != nil {
			continue
		}
		for _, in := range open {
			p.act(ctx, in, time.Now())
		}
	}
}

// act takes one step at a time: acknowledge, name the suspect, run the plan; again a plan when the first did not help.
func (p *person) act(ctx context.Context, in ops.Incident, now time.Time) {
	if !in.RecoveredAt.IsZero() {
		return
	}
	k := p.cases[in.ID]
	if k == nil {
		k = &case_{next: now.Add(p.pace)}
		if in.State != ops.IncidentOpen {
			k.next = now.Add(patience)
		}
		p.cases[in.ID] = k
	}
	if now.Before(k.next) {
		return
	}
	k.next = now.Add(p.pace)
	k.step++
	path := "/api/v1/incidents/" + url.PathEscape(in.ID)
	switch k.step {
	case 1:
		if in.State == ops.IncidentOpen {
			p.say(p.name, "acknowledges %s: %s", in.ID, in.Title)
			p.client.do(ctx, http.MethodPost, path+"/acknowledge", map[string]string{"note": "looking"}, nil)
		} else {
			k.next = now.Add(patience) // somebody else has it
		}
	case 2:
		p.judge(ctx, in, path)
	case 3:
		p.plan(ctx, in)
		k.next = now.Add(time.Minute)
	default: // the plan did not help: it was something else
		p.reject(ctx, in, path)
		k.step = 1
	}
}

// reject says that the first suspect was not it.
func (p *person) reject(ctx context.Context, in ops.Incident, path string) {
	if len(in.Suspects) == 0 || in.Suspects[0].Verdict == "rejected" {
		return
	}
	s := in.Suspects[0]
	p.say(p.name, "rejects %s: the plan did not help %s", s.ChangeID, in.ID)
	p.client.do(ctx, http.MethodPost, path+"/suspects/"+url.PathEscape(s.ChangeID)+"/reject", map[string]string{"note": "rolling it back did not help"}, nil)
}

func (p *person) judge(ctx context.Context, in ops.Incident, path string) {
	if len(in.Suspects) == 0 || in.Suspects[0].Verdict == "rejected" || in.Suspects[0].Probability < in.NoChange {
		p.say(p.name, "says that no change did %s", in.ID)
		p.client.do(ctx, http.MethodPost, path+"/suspects/none/confirm", map[string]string{}, nil)
		return
	}
	s := in.Suspects[0]
	if s.Probability < 0.5 {
		return
	}
	p.say(p.name, "confirms %s (%.0f %%) as the cause of %s", s.ChangeID, s.Probability*100, in.ID)
	p.client.do(ctx, http.MethodPost, path+"/suspects/"+url.PathEscape(s.ChangeID)+"/confirm", map[string]string{"note": "it fits"}, nil)
}

func (p *person) plan(ctx context.Context, in ops.Incident) {
	if len(in.Plans) == 0 {
		return
	}
	name := in.Plans[0]
	var run ops.Run
	err := p.client.do(ctx, http.MethodPost, "/api/v1/plans/"+url.PathEscape(name)+"/runs", map[string]string{"incident": in.ID, "confirm": name}, &run)
	if err != nil {
		p.say(p.name, "could not run %s for %s: %v", name, in.ID, err)
		return
	}
	p.say(p.name, "runs plan %s for %s (%s)", name, in.ID, run.ID)
}
