package drills

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"goc/ops"
)

// revert takes the fault away. It is tried until it works, with growing pauses; after a few failures the run's message
// tells a person what to do, and after an hour it is left to them.
func (d *driver) revert(ctx context.Context, r run) error {
	if d.o.Now().Before(d.nextTry) {
		return nil
	}
	drill, err := d.drill(r.Drill)
	if err == nil {
		_, err = d.o.Do(ctx, key(r, "revert", r.Attempts), drill.Revert, stepParams(r))
	} else {
		err = errors.New("the drill is no longer in the configuration")
	}
	if err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	if err != nil {
		return d.notReverted(ctx, r, drill, err)
	}
	_, err = d.change(ctx, r.ID, ops.System.Name, func(r *run) ([]news, error) {
		r.RevertedAt, r.FinishedAt, r.State, r.Message = ops.At(d.o.Now()), ops.At(d.o.Now()), r.Then, r.Why
		return []news{{"drill.reverted", r.Drill + ": the fault has been taken away"}, r.verdict()}, nil
	})
	return err
}

// verdict is the run's last event; it writes the score of a run that came to its end.
func (r *run) verdict() news {
	if r.State != ops.DrillScored {
		return news{"drill." + string(r.State), fmt.Sprintf("%s (%s) %s: %s", r.Drill, r.ID, r.State, r.Why)}
	}
	points := score(r.Legs)
	r.Score = &points
	var parts []string
	for _, l := range r.Legs {
		switch {
		case l.Seconds == nil:
			parts = append(parts, l.Name+" not reached")
		default:
			mark := "✗"
			if l.Met {
				mark = "✓"
			}
			parts = append(parts, fmt.Sprintf("%s %s %s", l.Name, ops.Since(time.Duration(*l.Seconds*float64(time.Second))), mark))
		}
	}
	text := fmt.Sprintf("%s (%s) scored %d of 100: %s", r.Drill, r.ID, points, strings.Join(parts, ", "))
	if r.Why != "" {
		text += "; " + r.Why
	}
	return news{"drill.scored", text}
}

// notReverted plans the next attempt, tells a person, or gives up.
func (d *driver) notReverted(ctx context.Context, r run, drill ops.Drill, why error) error {
	pause := min(time.Second<<min(r.Attempts, 6), time.Minute)
	d.nextTry = d.o.Now().Add(pause)
	_, err := d.change(ctx, r.ID, ops.System.Name, func(r *run) ([]news, error) {
		r.Attempts++
		hand := "take it away by hand: " + byHand(drill.Revert, *r)
		switch {
		case r.Attempts >= giveUp:
			r.State, r.FinishedAt = ops.DrillFailed, ops.At(d.o.Now())
			r.Message = fmt.Sprintf("the fault could not be taken away in %d attempts (%s); %s", r.Attempts, why, hand)
			return []news{{"drill.failed", r.Drill + ": " + r.Message}}, nil
		case r.Attempts >= tellAfter:
			r.Message = fmt.Sprintf("the fault could not be taken away yet, %d attempts (%s); it is tried again, but better %s", r.Attempts, why, hand)
		default:
			r.Message = fmt.Sprintf("the fault could not be taken away (%s); it is tried again in %s", why, ops.Duration(pause))
		}
		if r.Attempts == 1 || r.Attempts == tellAfter {
			return []news{{"drill.reverting", r.Drill + ": " + r.Message}}, nil
		}
		return nil, nil
	})
	return err
}

// byHand is a step as a person can do it; headers and passwords are left out.
func byHand(s ops.Step, r run) string {
	text := "as the drill's author knows"
	switch {
	case s.Command != nil:
		text = strings.Join(s.Command.Argv, " ")
	case s.HTTP != nil:
		to := s.HTTP.URL
		if u, err := url.Parse(to); err == nil && u.User != nil {
			to = strings.Replace(to, u.User.String()+"@", "", 1)
		}
		text = strings.TrimSpace(cmp.Or(s.HTTP.Method, "POST") + " " + to + " " + s.HTTP.Body)
	}
	for name, value := range stepParams(r) {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}
