package history

import (
	"fmt"

	"goc/incidents/engine"
	"goc/ops"
)

// beginning is where a recording starts, while its lines come in.
type beginning struct {
	engine.Beginning
	at    ops.Time
	saved engine.Saved
	skip  bool // a new file of what is being played already
}

// recording takes a line that only recordings have; done says that there is no more to do with it.
func (p *Player) recording(l engine.Line) (done bool, err error) {
	switch l.Kind {
	case "start":
		p.begins = &beginning{Beginning: *l.Begin, at: l.At, skip: l.Begin.Why == "segment" && p.recorded && !p.torn}
		p.catalog = nil
	case "catalog":
		if p.catalog == nil {
			p.catalog = &ops.Catalog{}
		}
		c := p.catalog
		c.Services, c.Stores, c.DeviceKinds = append(c.Services, l.Catalog.Services...), append(c.Stores, l.Catalog.Stores...), append(c.DeviceKinds, l.Catalog.DeviceKinds...)
	case "record":
		if p.begins == nil {
			return true, fmt.Errorf("a record stands after the line of kind start that it belongs to")
		}
		if err := p.begins.saved.Take(ops.Record{Kind: l.Record, ID: l.ID, Body: l.Body}); err != nil {
			return true, fmt.Errorf("the record does not read: %w", err)
		}
	case "ready":
		return true, p.begin()
	case "reload":
		return true, p.reload()
	case "answer":
		p.answers.take(*l.Answer)
	case "gap":
		p.gap(l)
	default:
		return false, nil
	}
	return true, nil
}

// begin starts the engine of a recording, as it stood then.
func (p *Player) begin() error {
	b, recorded := p.begins, p.catalog
	p.begins, p.catalog = nil, nil
	if b == nil {
		return fmt.Errorf("ready stands after a line of kind start")
	}
	if b.skip {
		return nil
	}
	cat, err := p.adopt(recorded)
	if err != nil {
		return err
	}
	if p.recorded && b.Why == "start" {
		p.played.Restarts++
	}
	p.now, p.recorded, p.torn = b.at.Time, true, false // another run's clock may stand elsewhere
	b.saved.GoesOn = true
	p.engine = engine.New(p.settings(&b.Settings), cat, p.answers.hooks())
	out := p.engine.Restore(b.saved, p.now)
	p.engine.Numbered(b.Next)
	if p.o.Began != nil {
		p.o.Began(cat, b.saved.Changes)
	}
	if p.o.Out != nil {
		return p.o.Out(out)
	}
	return nil
}

// adopt is the catalog to play with: the one asked for, else the recorded one, indexed.
func (p *Player) adopt(recorded *ops.Catalog) (*ops.Catalog, error) {
	if p.o.Catalog != nil {
		return p.o.Catalog, nil
	}
	if recorded == nil {
		recorded = &ops.Catalog{}
	}
	if err := recorded.Index(); err != nil {
		return nil, fmt.Errorf("the recorded catalog: %w", err)
	}
	return recorded, nil
}

// reload makes the catalog that was just told the engine's.
func (p *Player) reload() error {
	recorded := p.catalog
	p.catalog = nil
	if p.engine == nil || p.o.Catalog != nil {
		return nil
	}
	cat, err := p.adopt(recorded)
	if err != nil {
		return err
	}
	p.engine.Reload(cat)
	if p.o.Began != nil {
		p.o.Began(cat, nil)
	}
	return nil
}

// gap notes that something is missing.
func (p *Player) gap(l engine.Line) {
	p.torn = true
	if l.Recorded == nil || len(p.played.Gaps) >= maxGaps {
		return
	}
	text := l.Text
	if text == "" {
		text = fmt.Sprintf("from %s to %s %d inputs are missing", l.At, l.Until, l.Lost)
	}
	p.played.Gaps = append(p.played.Gaps, text)
}
