package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"goc/changes"
	"goc/ops"
)

// offlineFor is how old a decision may be that counts in place of a gate that does not answer.
const offlineFor = 5 * time.Minute

// maxRemembered bounds a file of the memory.
const maxRemembered = 1 << 20

// memory is what this machine keeps of one server: its key, its last decisions, and what it is still to be told. Nothing
// in it is believed for standing there: decisions are signed, and the key is best given with --gate-key.
type memory struct {
	dir    string // "" when there is no place for it
	server string
	pinned ed25519.PublicKey // --gate-key
}

func cacheDir(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "goc"), nil
}

// path is the file of one thing kept of the server.
func (m memory) path(kind, what string) string {
	h := sha256.Sum256([]byte(m.server + "\n" + what))
	return filepath.Join(m.dir, kind+"-"+hex.EncodeToString(h[:8])+".json")
}

// write keeps v. It is written whole and then renamed: another job may read it right now.
func (m memory) write(path string, v any) error {
	if m.dir == "" {
		return errors.New("there is no cache folder")
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err = os.WriteFile(tmp, b, 0o600); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

// read reads what was kept. What others could have written is refused.
func (m memory) read(path string, v any) error {
	if m.dir == "" {
		return os.ErrNotExist
	}
	for _, p := range []string{m.dir, path} {
		switch info, err := os.Lstat(p); {
		case err != nil:
			return err
		case info.Mode().Perm()&0o022 != 0:
			return fmt.Errorf("%s can be written by others (chmod go-w)", p)
		case p == path && (!info.Mode().IsRegular() || info.Size() > maxRemembered):
			return fmt.Errorf("%s is not a file of ours", p)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if json.Unmarshal(b, v) != nil {
		return fmt.Errorf("%s cannot be read", path)
	}
	return nil
}

// key is the gate's public key as it is known here; nil when it is not.
func (m memory) key() ed25519.PublicKey {
	if m.pinned != nil {
		return m.pinned
	}
	var k ops.GateKey
	if m.read(m.path("key", ""), &k) != nil {
		return nil
	}
	key, err := changes.ReadKey(k.X)
	if err != nil {
		return nil
	}
	return key
}

// learn checks the signature of a fresh decision and keeps it. With --gate-key, one that is not signed with it is no
// answer of the gate at all; without, the server's key is taken at first sight, and a new one is said aloud.
func (a *asking) learn(ctx context.Context, d ops.Decision) error {
	m := a.memory
	signed := func(key ed25519.PublicKey) bool {
		claims, err := changes.ReadToken(key, d.Token)
		return err == nil && claims.ID == d.DecisionID && claims.Decision == d.Decision
	}
	known := m.key()
	if m.pinned != nil && !signed(m.pinned) {
		return exit(exitUnavailable, problem{
			Title: "not this gate", Detail: a.c.base() + " answers, but its decision is not signed with --gate-key",
			Hint: "goc gate key prints the key of a server; when it has a new one, see that this is meant",
		})
	}
	if d.Token == "" {
		return nil
	}
	if known == nil || !signed(known) {
		fresh, err := a.fetchKey(ctx)
		if err != nil || !signed(fresh) {
			return nil // an answer all the same; it is only not remembered
		}
		if known != nil {
			fmt.Fprintf(a.s.err, "THE GATE HAS ANOTHER KEY than before; --gate-key pins the right one\n")
		}
	}
	if err := m.write(m.path("decision", asText(a.body)), d); err != nil && a.OnUnavailable == "last-known" {
		fmt.Fprintf(a.s.err, "the decision cannot be remembered for last-known: %v\n", err)
	}
	return nil
}

// fetchKey asks the server for its key and keeps it.
func (a *asking) fetchKey(ctx context.Context) (ed25519.PublicKey, error) {
	var k ops.GateKey
	if err := a.c.do(ctx, http.MethodGet, "/api/v1/gate/key", nil, &k); err != nil {
		return nil, err
	}
	key, err := changes.ReadKey(k.X)
	if err != nil {
		return nil, err
	}
	return key, a.memory.write(a.memory.path("key", ""), k)
}

// recall finds the remembered decision on the same question, where it is signed, fits and is young enough.
func (a *asking) recall(now time.Time) (ops.Decision, error) {
	var d ops.Decision
	err := a.memory.read(a.memory.path("decision", asText(a.body)), &d)
	if errors.Is(err, os.ErrNotExist) {
		return d, errors.New("no decision on this question is remembered here")
	}
	if err != nil {
		return d, err
	}
	key := a.memory.key()
	if key == nil {
		return d, errors.New("the gate's key is not known here; --gate-key takes it")
	}
	claims, err := changes.VerifyToken(key, d.Token, now)
	switch {
	case err != nil:
		return d, fmt.Errorf("the last one is not good: %w", err)
	case now.Sub(time.Unix(claims.Issued, 0)) > offlineFor:
		return d, fmt.Errorf("the last one (%s) is over %s old", claims.ID, ops.Duration(offlineFor))
	case !fits(claims, a.body, a.question):
		return d, fmt.Errorf("the last one (%s) is about something else", claims.ID)
	}
	// What is not signed is not believed.
	d.Decision, d.DecisionID, d.ChangeID = claims.Decision, claims.ID, claims.Change
	d.At, d.ValidUntil = ops.At(time.Unix(claims.Issued, 0)), ops.At(time.Unix(claims.Expires, 0))
	return d, nil
}

// fits says whether a token answers this very question: the same change, stage, version and environment.
func fits(claims changes.Claims, body map[string]any, q question) bool {
	text := []byte(asText(body))
	if _, onRecord := body["change_id"]; onRecord {
		var r ops.GateRequest
		return json.Unmarshal(text, &r) == nil && claims.Change == r.ChangeID && claims.Stage == r.Stage && claims.Rollback == r.Rollback &&
			same(q.Version, claims.Version) && same(q.Service, claims.Service)
	}
	var ch ops.Change
	if json.Unmarshal(text, &ch) != nil || claims.Stage != 0 {
		return false
	}
	if claims.Change != "" { // the file named a change on record
		return claims.Change == ch.ID && same(ch.Version, claims.Version) && same(ch.Service, claims.Service) && same(ch.Environment, claims.Environment)
	}
	return claims.Asked == changes.Asked(ch)
}

// same says whether what was asked for, if anything was, is what was answered for.
func same(asked, answered string) bool { return asked == "" || asked == answered }

func asText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
