package intake

import (
	"context"
	"encoding/json"
	"math/rand/v2"
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
	backfillFailing = 10  // failures in a row, which end a round
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
	switch {
	case s.URL != "" && !apiURL(s.URL):
		return ops.Errorf(ops.Invalid, "must be an http or https URL with a host, and no user, query or fragment").At(place + ".url")
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
	cursor       ops.Time        // what happened before it is taken
	notBefore    time.Time       // a sender asked for a pause
	taken        *recent         // ids of what was: the looks overlap
	failed       map[string]bool // ids of what could not be taken yet
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

// openBackfill makes the feeders of the configuration, with their tokens.
func (s *Service) openBackfill() error {
	for i, sender := range s.cfg.Backfill.GitHub {
		f := &feeder{product: "github", base: "https://api.github.com", look: s.lookAtGitHub}
		if err := s.addFeeder(f, sender, i); err != nil {
			return err
		}
	}
	for i, sender := range s.cfg.Backfill.GitLab {
		f := &feeder{product: "gitlab", base: "https://gitlab.com", look: s.lookAtGitLab}
		if err := s.addFeeder(f, sender, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) addFeeder(f *feeder, about Sender, i int) (err error) {
	f.about, f.taken = about, newRecent(maxDeliveries)
	if about.URL != "" {
		f.base = strings.TrimRight(about.URL, "/")
	}
	f.key = strings.Join([]string{f.product, f.base, about.Organization + about.Repository, strconv.FormatInt(about.Hook, 10)}, " ")
	if len(f.key) > ops.MaxNameLength { // more than the journal takes as an id
		f.key = ops.Fingerprint(map[string]string{"sender": f.key})
	}
	f.token, err = secretOf(about.Token, about.TokenFile, "hooks.backfill."+f.product+"["+strconv.Itoa(i)+"].token_file")
	s.feeds = append(s.feeds, f)
	return err
}

// feeders are the senders that are looked at, each with how far that came.
func (s *Service) feeders(ctx context.Context) ([]*feeder, error) {
	if len(s.feeds) == 0 {
		return nil, nil
	}
	return s.feeds, s.cursors.Load(ctx, kindCursor, func(r ops.Record) error {
		for _, f := range s.feeds {
			if f.key == r.ID {
				return json.Unmarshal(r.Body, &f.cursor)
			}
		}
		return nil
	})
}
