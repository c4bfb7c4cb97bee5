package intake

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// Backfill is the section `hooks.backfill:`: where to look for what senders that never try again could not deliver. Its
// zero value looks nowhere.
type Backfill struct {
	Every  ops.Duration `yaml:"every"` // how often; default 5m
	GitHub []Sender     `yaml:"github"`
	GitLab []Sender     `yaml:"gitlab"`
}

// Sender is one webhook of GitHub, or one project of GitLab.
type Sender struct {
	URL          string `yaml:"url"`          // of the API; default https://api.github.com, https://gitlab.com
	Repository   string `yaml:"repository"`   // GitHub: owner/name; GitLab: the project's path, group/name
	Organization string `yaml:"organization"` // GitHub: of a webhook of an organization, in place of the repository
	Hook         int64  `yaml:"hook"`         // GitHub: the webhook's id
	Token        string `yaml:"token"`
	TokenFile    string `yaml:"token_file"` // wins
}

// Bounds of the back-fill.
const (
	backfillReach   = 72 * time.Hour // GitHub keeps deliveries for three days
	backfillOverlap = 10 * time.Minute
	backfillPages   = 30  // of a list, in one round
	backfillTaken   = 500 // deliveries or deployments, in one round
	backfillTimeout = 30 * time.Second
	maxSenders      = 100
	maxPause        = time.Hour // that a sender may ask for
	kindCursor      = "hook_cursor"
)

// Cursors is where it is kept how far the back-fill came.
type Cursors interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
}

func (b Backfill) validate() error {
	if v := time.Duration(b.Every); v != 0 && (v < 10*time.Second || v > 24*time.Hour) {
		return ops.Errorf(ops.Invalid, "must be between 10s and 24h").At("hooks.backfill.every")
	}
	for product, list := range map[string][]Sender{"github": b.GitHub, "gitlab": b.GitLab} {
		place := "hooks.backfill." + product
		if len(list) > maxSenders {
			return ops.Errorf(ops.Invalid, "may list at most %d", maxSenders).At(place)
		}
		for i, s := range list {
			if err := s.validate(product, place+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s Sender) validate(product, place string) error {
	owner, name, _ := strings.Cut(s.Repository, "/")
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || s.URL != "" && u.Scheme != "https" && u.Scheme != "http":
		return ops.Errorf(ops.Invalid, "must be an http or https URL").At(place + ".url")
	case product == "github" && (s.Repository == "") == (s.Organization == ""):
		return ops.Errorf(ops.Invalid, "must have either a repository or an organization").At(place + ".repository")
	case s.Repository != "" && (owner == "" || name == ""):
		return ops.Errorf(ops.Invalid, "must be a path such as shop/cart").At(place + ".repository")
	case product == "gitlab" && s.Repository == "":
		return ops.Errorf(ops.Invalid, "must name the project's path").At(place + ".repository")
	case product == "github" && s.Hook <= 0:
		return ops.Errorf(ops.Invalid, "must be the webhook's id").At(place + ".hook").WithHint("it stands at the end of the address of the webhook's settings")
	}
	return nil
}

// feeder is one sender that is looked at.
type feeder struct {
	product, key string // key is what its cursor is kept under
	base         string // of its API, without a slash at the end
	about        Sender
	token        string
	cursor       ops.Time  // what happened before it is taken
	notBefore    time.Time // a sender asked for a pause
	taken        *recent   // ids of what was: the looks overlap
	look         func(ctx context.Context, f *feeder, since time.Time) ([]missed, ops.Time, error)
}

// missed is something that may not have come by itself. To take it again does nothing.
type missed struct {
	id   string
	at   ops.Time
	take func(context.Context) (done, error)
}

// Run looks for what was not delivered, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	feeders, err := s.feeders(ctx)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	every := time.Duration(s.cfg.Backfill.Every)
	timer := time.NewTimer(rand.N(every/10 + 1)) // soon: what came while we were down is missing
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		for _, f := range feeders {
			s.fill(ctx, f)
		}
		timer.Reset(every - every/10 + rand.N(every/5+1))
	}
}

// feeders are the senders of the configuration, with their tokens and how far each was looked at.
func (s *Service) feeders(ctx context.Context) ([]*feeder, error) {
	var out []*feeder
	b := s.cfg.Backfill
	for i, sender := range append(append([]Sender(nil), b.GitHub...), b.GitLab...) {
		f := &feeder{product: "github", base: "https://api.github.com", about: sender, taken: newRecent(maxDeliveries), look: s.lookAtGitHub}
		if i >= len(b.GitHub) {
			f.product, f.base, f.look = "gitlab", "https://gitlab.com", s.lookAtGitLab
		}
		if sender.URL != "" {
			f.base = strings.TrimRight(sender.URL, "/")
		}
		f.key = strings.Join([]string{f.product, f.base, sender.Organization + sender.Repository, strconv.FormatInt(sender.Hook, 10)}, " ")
		if len(f.key) > ops.MaxNameLength { // more than the journal takes as an id
			f.key = ops.Fingerprint(map[string]string{"sender": f.key})
		}
		var err error
		if f.token, err = (Secret{sender.Token, sender.TokenFile}).read("hooks.backfill." + f.product); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, s.cursors.Load(ctx, kindCursor, func(r ops.Record) error {
		for _, f := range out {
			if f.key == r.ID {
				return json.Unmarshal(r.Body, &f.cursor)
			}
		}
		return nil
	})
}

// fill takes what one sender could not deliver, oldest first, and keeps how far it came.
func (s *Service) fill(ctx context.Context, f *feeder) {
	now := s.now()
	if now.Before(f.notBefore) {
		return
	}
	since := now.Add(-backfillReach)
	if at := f.cursor.Add(-backfillOverlap); !f.cursor.IsZero() && at.After(since) {
		since = at
	}
	list, upTo, err := f.look(ctx, f, since)
	tried := 0
	for _, m := range list {
		if _, before := f.taken.has(m.id); before {
			continue
		}
		if tried++; tried > backfillTaken {
			upTo = m.at
			break
		}
		if failed := s.takeMissed(ctx, f, m); failed != nil {
			upTo, err = m.at, failed
			break
		}
		f.taken.add(m.id, seen{})
	}
	if err != nil {
		s.backfillFailed(ctx, f, err)
	}
	if upTo.After(f.cursor.Time) {
		if err := s.keep(ctx, f, upTo); err != nil && ctx.Err() == nil {
			s.log.Error("how far the back-fill came was not kept", "sender", f.key, "err", err)
		}
	}
}

// takeMissed takes one. What can never be taken is counted and left; what may be taken later is an error.
func (s *Service) takeMissed(ctx context.Context, f *feeder, m missed) error {
	took, err := m.take(ctx)
	switch {
	case err == nil && took.ChangeID != "":
		s.backfilled.WithLabelValues(f.product, "looked_at").Inc()
	case err == nil:
		s.unused.WithLabelValues(f.product, took.reason()).Inc()
	case refusedForGood(err):
		s.refused.WithLabelValues(f.product).Inc()
	default:
		return err
	}
	return nil
}

// refusedForGood says whether an error would come again, however often one tries.
func refusedForGood(err error) bool {
	switch ops.KindOf(err) {
	case ops.Invalid, ops.Conflict, ops.NotFound, ops.TooLarge:
		return true
	}
	return false
}

func (s *Service) backfillFailed(ctx context.Context, f *feeder, err error) {
	if ctx.Err() != nil {
		return
	}
	s.backfilled.WithLabelValues(f.product, "failed").Inc()
	var p *pause
	if errors.As(err, &p) {
		f.notBefore = s.now().Add(min(p.wanted, maxPause))
	}
	s.log.Warn("what was not delivered could not be looked for", "sender", f.key, "err", err)
}

// keep makes the cursor durable.
func (s *Service) keep(ctx context.Context, f *feeder, at ops.Time) error {
	_, err := s.cursors.Append(ops.Mutation{Put: []ops.Record{ops.Encode(kindCursor, f.key, at)}}).Wait(ctx)
	if err == nil {
		f.cursor = at
	}
	return err
}

// pause is what a sender asks for that is asked too often.
type pause struct{ wanted time.Duration }

func (p *pause) Error() string { return "the sender asks for a pause of " + p.wanted.String() }

// ask does one request of a sender's API and reads its JSON into v.
func (s *Service) ask(ctx context.Context, f *feeder, path string, v any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, backfillTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if f.token != "" {
		req.Header.Set("Authorization", "Bearer "+f.token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusForbidden && resp.Header.Get("Retry-After")+resp.Header.Get("X-RateLimit-Reset") != "" {
		return nil, &pause{s.pauseOf(resp.Header)}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, ops.Errorf(ops.Unavailable, "%s is answered %d", strings.SplitN(path, "?", 2)[0], resp.StatusCode)
	}
	body, err := readBody(nil, &http.Request{Body: resp.Body}, 4*MaxHookBody)
	if err != nil {
		return nil, err
	}
	return resp.Header, decode(body, v)
}

// pauseOf reads how long a sender wants to be left alone.
func (s *Service) pauseOf(h http.Header) time.Duration {
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		return max(time.Unix(at, 0).Sub(s.now()), time.Minute)
	}
	return time.Minute
}
