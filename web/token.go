package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"goc/ops"
)

// maxTokens bounds how many tokens there may be.
const maxTokens = 10_000

// Token is what is known of a token. Its secret is shown once, when it is made.
type Token struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"` // of the person or machine that has it; it stands in the audit as the actor
	Role      ops.Role `json:"role"`
	CreatedAt ops.Time `json:"created_at"`
	CreatedBy string   `json:"created_by,omitempty"`
	ExpiresAt ops.Time `json:"expires_at"`     // null when it does not
	Uses      int      `json:"uses,omitempty"` // of a token that enrols devices: how many it still may
}

// storedToken is the record of kind "token".
type storedToken struct {
	Token
	Hash string `json:"hash"` // SHA-256 of the whole token, in hex
}

// TokenSpec is what a new token should be.
type TokenSpec struct {
	Name      string       `json:"name" required:"true" minLength:"1" maxLength:"128" doc:"of the person or machine; stands in the audit"`
	Role      ops.Role     `json:"role" required:"true" enum:"viewer,responder,commander,admin,ci,agent,sender"`
	ExpiresIn ops.Duration `json:"expires_in,omitempty" doc:"empty: never"`
	Uses      int          `json:"uses,omitempty" doc:"of a token named enrol:STORE: how many devices it may enrol"`
}

var tokenText = base32.StdEncoding.WithPadding(base32.NoPadding)

// newSecret makes a token: goc_<id>_<secret>_<crc>, where crc is the CRC-32 of what stands before it, in hex.
func newSecret() (id, token string) {
	var b [25]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	id = strings.ToLower(tokenText.EncodeToString(b[:5]))
	body := "goc_" + id + "_" + strings.ToLower(tokenText.EncodeToString(b[5:]))
	return id, body + "_" + checksum(body)
}

func checksum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

// tokenID reads the id of a token and says whether it is well formed: a typing error is told from a token that is not known.
func tokenID(token string) (id string, ok bool) {
	parts := strings.Split(token, "_")
	if len(parts) != 4 || parts[0] != "goc" || len(parts[1]) != 8 || len(parts[2]) != 32 {
		return "", false
	}
	body := token[:len(token)-len(parts[3])-1]
	return parts[1], checksum(body) == parts[3]
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func sameHash(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// maySign says whether a name may stand in the audit: the journal would refuse all that someone of another name does.
func maySign(name string) bool {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	return name != "" && len(name) <= 128 && utf8.ValidString(name) && !strings.ContainsFunc(name, unprintable)
}

// CreateToken makes a token in the journal and returns it with its secret, which is stored nowhere. A running server
// makes its own through the API; this is for one that is not running.
func CreateToken(ctx context.Context, j Journal, who ops.Principal, spec TokenSpec, now time.Time) (Token, string, error) {
	if !spec.Role.Valid() {
		return Token{}, "", ops.Errorf(ops.Invalid, "must be one of viewer, responder, commander, admin, ci, agent, sender").At("body.role")
	}
	if spec.Name = strings.TrimSpace(spec.Name); !maySign(spec.Name) {
		return Token{}, "", ops.Errorf(ops.Invalid, "must have 1 to 128 bytes of printable text").At("body.name")
	}
	if err := spec.validEnrolment(); err != nil {
		return Token{}, "", err
	}
	id, secret := newSecret()
	t := Token{ID: id, Name: spec.Name, Role: spec.Role, Uses: spec.Uses, CreatedAt: ops.At(now), CreatedBy: who.Name}
	if spec.ExpiresIn > 0 {
		t.ExpiresAt = ops.At(now.Add(time.Duration(spec.ExpiresIn)))
	}
	m := ops.Mutation{
		Put: []ops.Record{ops.Encode("token", id, storedToken{t, hashOf(secret)})},
		Events: []ops.Event{ops.NewEvent(ops.At(now), "token.created", "auth", id, who.Name, map[string]any{
			"text": who.Name + " made a token for " + t.Name + " as " + string(t.Role), "name": t.Name, "role": t.Role,
		})},
	}
	if _, err := j.Append(m).Wait(ctx); err != nil {
		return Token{}, "", err
	}
	return t, secret, nil
}

// RevokeToken takes a token back.
func RevokeToken(ctx context.Context, j Journal, who ops.Principal, id string, now time.Time) error {
	r, err := j.Record(ctx, "token", id)
	if err != nil {
		return err
	}
	var t storedToken
	if err := json.Unmarshal(r.Body, &t); err != nil {
		return fmt.Errorf("token %s: %w", id, err)
	}
	_, err = j.Append(ops.Mutation{
		Delete: []ops.Record{{Kind: "token", ID: id}},
		Events: []ops.Event{ops.NewEvent(ops.At(now), "token.revoked", "auth", id, who.Name, map[string]any{
			"text": who.Name + " revoked the token of " + t.Name, "name": t.Name, "role": t.Role,
		})},
	}).Wait(ctx)
	return err
}

// Tokens lists the tokens in the journal.
func Tokens(ctx context.Context, j Journal) ([]Token, error) {
	stored, err := loadTokens(ctx, j)
	out := make([]Token, 0, len(stored))
	for _, t := range stored {
		out = append(out, t.Token)
	}
	return out, err
}

func loadTokens(ctx context.Context, j Journal) ([]storedToken, error) {
	var out []storedToken
	err := j.Load(ctx, "token", func(r ops.Record) error {
		var t storedToken
		if err := json.Unmarshal(r.Body, &t); err != nil {
			return fmt.Errorf("token %s: %w", r.ID, err)
		}
		out = append(out, t)
		return nil
	})
	return out, err
}
