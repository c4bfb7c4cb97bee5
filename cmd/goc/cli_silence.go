package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

type silenceCmd struct {
	Add    silenceAddCmd    `cmd:"" help:"Hide matching alerts for a while."`
	Expire silenceExpireCmd `cmd:"" help:"End a silence now."`
	List   silenceListCmd   `cmd:"" help:"List silences."`
}

// amSilence is a silence as Alertmanager's API has it.
type amSilence struct {
	ID        string      `json:"id,omitempty"`
	Matchers  []amMatcher `json:"matchers"`
	StartsAt  string      `json:"startsAt"`
	EndsAt    string      `json:"endsAt"`
	CreatedBy string      `json:"createdBy"`
	Comment   string      `json:"comment"`
	Status    *struct {
		State string `json:"state"`
	} `json:"status,omitempty"`
}

type amMatcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

func (m amMatcher) String() string {
	op := map[[2]bool]string{{false, true}: "=", {false, false}: "!=", {true, true}: "=~", {true, false}: "!~"}[[2]bool{m.IsRegex, m.IsEqual}]
	return m.Name + op + m.Value
}

// matchersText writes matchers as people type them.
func matchersText(l []amMatcher) string {
	var parts []string
	for _, m := range l {
		parts = append(parts, m.String())
	}
	return strings.Join(parts, " ")
}

// parseMatcher reads name=value, name!=value, name=~regex or name!~regex; quotes around the value are dropped.
func parseMatcher(s string) (amMatcher, error) {
	i := strings.IndexAny(s, "=!")
	if i <= 0 || i+1 >= len(s) {
		return amMatcher{}, exit(exitUsage, fmt.Errorf("%q is no matcher; one reads name=value, name!=value, name=~regex or name!~regex", s))
	}
	m := amMatcher{Name: s[:i], IsEqual: s[i] == '='}
	rest := s[i+1:]
	switch {
	case s[i] == '!' && rest[0] != '=' && rest[0] != '~':
		return m, exit(exitUsage, fmt.Errorf("after ! comes = or ~"))
	case rest[0] == '~':
		m.IsRegex, rest = true, rest[1:]
	case s[i] == '!':
		rest = rest[1:]
	}
	m.Value = strings.Trim(rest, `"`)
	return m, nil
}

type silenceAddCmd struct {
	Matchers []string     `arg:"" help:"alertname=PaymentFails store=~SH-.*"`
	Duration ops.Duration `help:"For how long: 30m, 2h, 1d." default:"1h"`
	Comment  string       `help:"Why." required:"" placeholder:"TEXT"`
	Author   string       `help:"Who; you, when left out." placeholder:"NAME"`
}

// Run adds a silence.
func (k *silenceAddCmd) Run(ctx context.Context, c *client, s streams) error {
	now := time.Now()
	sil := amSilence{StartsAt: ops.At(now).String(), EndsAt: ops.At(now.Add(time.Duration(k.Duration))).String(), CreatedBy: k.Author, Comment: k.Comment}
	if sil.CreatedBy == "" {
		sil.CreatedBy = osUser()
	}
	for _, text := range k.Matchers {
		m, err := parseMatcher(text)
		if err != nil {
			return err
		}
		sil.Matchers = append(sil.Matchers, m)
	}
	var out struct {
		SilenceID string `json:"silenceID"`
	}
	if err := c.do(ctx, http.MethodPost, "/api/v2/silences", sil, &out); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "hides alerts with %s until %s; goc silence expire ends it\n", matchersText(sil.Matchers), date(ops.At(now.Add(time.Duration(k.Duration)))))
	return c.show(s, out, func(w io.Writer) { fmt.Fprintln(w, out.SilenceID) })
}

type silenceExpireCmd struct {
	ID string `arg:"" help:"The silence."`
}

// Run ends a silence.
func (k *silenceExpireCmd) Run(ctx context.Context, c *client, s streams) error {
	err := c.do(ctx, http.MethodDelete, "/api/v2/silence/"+url.PathEscape(k.ID), nil, nil)
	var p problem
	if errors.As(err, &p) && p.Status == http.StatusNotFound { // Alertmanager's API says no more than that
		return exit(exitUsage, problem{Title: p.Title, Status: p.Status, Detail: k.ID + ": there is no such silence", Hint: "goc silence list shows them"})
	}
	if err != nil {
		return err
	}
	return c.show(s, map[string]string{"expired": k.ID}, func(w io.Writer) { fmt.Fprintf(w, "%s expired\n", k.ID) })
}

type silenceListCmd struct {
	Expired bool `help:"Those that have ended, too."`
}

// Run lists silences.
func (k *silenceListCmd) Run(ctx context.Context, c *client, s streams) error {
	var l []amSilence
	if err := c.do(ctx, http.MethodGet, "/api/v2/silences", nil, &l); err != nil {
		return err
	}
	if !k.Expired {
		l = slices.DeleteFunc(l, func(sil amSilence) bool { return sil.Status != nil && sil.Status.State == "expired" })
	}
	return c.show(s, l, func(w io.Writer) {
		table(w, "ID\tSTATE\tENDS\tBY\tMATCHERS\tCOMMENT", len(l), func(i int) string {
			sil, state := l[i], "-"
			if sil.Status != nil {
				state = sil.Status.State
			}
			ends, _ := time.Parse(time.RFC3339, sil.EndsAt)
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", sil.ID, state, date(ops.At(ends)), sil.CreatedBy, matchersText(sil.Matchers), sil.Comment)
		})
	})
}
