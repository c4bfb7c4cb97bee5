package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"goc/changes"
	"goc/ops"
)

// readGateKey reads --gate-key: the key itself, or a file with it.
func readGateKey(text string) (ed25519.PublicKey, error) {
	key, err := changes.ReadKey(text)
	if err == nil {
		return key, nil
	}
	f, missing := os.Open(text)
	if missing != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRemembered))
	if err != nil {
		return nil, err
	}
	return changes.ReadKey(string(b))
}

type gateKeyCmd struct{}

// Run prints the gate's public key.
func (k *gateKeyCmd) Run(ctx context.Context, c *client, s streams) error {
	var key ops.GateKey
	if err := c.do(ctx, http.MethodGet, "/api/v1/gate/key", nil, &key); err != nil {
		return err
	}
	return c.show(s, key, func(w io.Writer) { fmt.Fprintln(w, key.X) })
}

type gateVerifyCmd struct {
	DecisionToken string `arg:"" name:"token" help:"The token of a decision; - is stdin." placeholder:"TOKEN"`
	GateKey       string `help:"The gate's public key, or a file with it; without it the key that is remembered of the server." aliases:"key" placeholder:"KEY"`
	CacheDir      string `help:"Where the key is remembered." placeholder:"DIR"`
	Change        string `help:"It must be for this change." placeholder:"CHG-N"`
	Stage         int    `help:"It must be for this stage." placeholder:"N"`
	Service       string `help:"It must be for this service." placeholder:"NAME"`
	Version       string `help:"It must be for this version." placeholder:"V"`
	Environment   string `help:"It must be for this environment." placeholder:"NAME"`
}

// Run checks a token without asking anybody.
func (k *gateVerifyCmd) Run(c *client, s streams) error {
	m := memory{server: c.base()}
	m.dir, _ = cacheDir(k.CacheDir)
	if k.GateKey != "" {
		var err error
		if m.pinned, err = readGateKey(k.GateKey); err != nil {
			return exit(exitUsage, fmt.Errorf("--gate-key: %w", err))
		}
	}
	key := m.key()
	if key == nil {
		return exit(exitUsage, errors.New("the gate's key is not known here; --gate-key takes what goc gate key prints"))
	}
	token := k.DecisionToken
	if token == "-" {
		b, err := io.ReadAll(io.LimitReader(os.Stdin, maxRemembered))
		if err != nil {
			return err
		}
		token = string(b)
	}
	claims, err := changes.VerifyToken(key, strings.TrimSpace(token), time.Now())
	if err != nil {
		return err
	}
	return k.judge(c, s, claims)
}

// judge compares a good token with what it must be for.
func (k *gateVerifyCmd) judge(c *client, s streams, claims changes.Claims) error {
	for _, f := range []struct{ name, want, got string }{
		{"change", k.Change, claims.Change},
		{"service", k.Service, claims.Service},
		{"version", k.Version, claims.Version},
		{"environment", k.Environment, claims.Environment},
	} {
		if !same(f.want, f.got) {
			return exit(exitFailed, fmt.Errorf("the decision is for another %s", f.name))
		}
	}
	if k.Stage != 0 && k.Stage != claims.Stage {
		return exit(exitFailed, errors.New("the decision is for another stage"))
	}
	err := c.show(s, claims, func(w io.Writer) { w.Write([]byte(sayClaims(claims))) })
	if err != nil || claims.Decision == ops.EffectAllow {
		return err
	}
	return exit(exitFailed, nil)
}

func sayClaims(claims changes.Claims) string {
	what := strings.TrimSpace(claims.Change + " " + strings.TrimSpace(claims.Service+" "+claims.Version))
	if claims.Stage > 0 {
		what += fmt.Sprintf(" stage %d", claims.Stage)
	}
	until := date(ops.At(time.Unix(claims.Expires, 0)))
	return fmt.Sprintf("%s  %s\n  %s in %s, valid until %s\n", claims.Decision, claims.ID, what, claims.Environment, until)
}
