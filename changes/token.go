package changes

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"goc/ops"
)

// Claims are what a decision's token says: a JSON Web Token signed with EdDSA (RFC 8037), so that any library can check
// it offline with the public key.
type Claims struct {
	ID       string `json:"jti"` // of the decision
	Change   string `json:"sub,omitempty"`
	Stage    int    `json:"stage,omitempty"`
	Decision string `json:"decision"`
	Service  string `json:"service,omitempty"`
	Version  string `json:"version,omitempty"`
	// Environment is never empty.
	Environment string `json:"environment"`
	Rollback    bool   `json:"rollback,omitempty"`
	Asked       string `json:"asked,omitempty"` // of a change that is not on record: its digest, see Asked
	Issued      int64  `json:"iat"`             // Unix seconds
	Expires     int64  `json:"exp"`             // Unix seconds
}

var b64 = base64.RawURLEncoding

// tokenHeader is the same for every token.
var tokenHeader = b64.EncodeToString([]byte(`{"alg":"EdDSA","typ":"JWT"}`)) + "."

// sign writes a decision's token.
func sign(key ed25519.PrivateKey, c *ops.Change, in *Inputs, d *ops.Decision) string {
	claims := Claims{
		ID: d.DecisionID, Change: d.ChangeID, Stage: in.Stage, Decision: d.Decision, Service: in.Service,
		Version: in.Version, Environment: orDefault(c.Environment, Production), Rollback: in.Rollback,
		Issued: d.At.Unix(), Expires: d.ValidUntil.Unix(),
	}
	if d.ChangeID == "" {
		claims.Asked = digest(*c)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		panic("changes: claims do not marshal: " + err.Error())
	}
	token := make([]byte, 0, len(tokenHeader)+b64.EncodedLen(len(body))+1+b64.EncodedLen(ed25519.SignatureSize))
	token = b64.AppendEncode(append(token, tokenHeader...), body)
	signature := ed25519.Sign(key, token)
	return string(b64.AppendEncode(append(token, '.'), signature))
}

// Asked is the digest of a change that is not on record, by which its token is bound to all of it: kind, scope, stages
// and labels too. Who asks and when are no part of it.
func Asked(c ops.Change) string { return digest(normalise(c)) }

// digest is Asked of a change that normalise has gone over.
func digest(c ops.Change) string {
	c.Author, c.Environment = "", orDefault(c.Environment, Production)
	body, err := json.Marshal(c)
	if err != nil {
		panic("changes: a change does not marshal: " + err.Error())
	}
	h := sha256.Sum256(body)
	return b64.EncodeToString(h[:16])
}

// maxToken bounds what is read as a token.
const maxToken = 8192

// ReadToken reads a decision's token offline and checks its signature, not its time.
func ReadToken(public ed25519.PublicKey, token string) (Claims, error) {
	var c Claims
	text, signature, ok := cutLast(token)
	if !ok || !strings.HasPrefix(text, tokenHeader) || len(token) > maxToken {
		return c, ops.Errorf(ops.Invalid, "this is not a token of the gate")
	}
	sig, err := b64.DecodeString(signature)
	if err != nil || len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, []byte(text), sig) {
		return c, ops.Errorf(ops.Denied, "the token's signature does not fit")
	}
	body, err := b64.DecodeString(text[len(tokenHeader):])
	if err != nil || json.Unmarshal(body, &c) != nil {
		return c, ops.Errorf(ops.Invalid, "the token's claims cannot be read")
	}
	return c, nil
}

// tokenSkew is by how much the clock of who checks a token may lag behind the gate's.
const tokenSkew = time.Minute

// ValidAt says whether the decision counts at that time.
func (c Claims) ValidAt(now time.Time) error {
	if now.Unix() >= c.Expires {
		return ops.Errorf(ops.Denied, "the decision is no longer valid").WithHint("ask the gate again")
	}
	if now.Add(tokenSkew).Unix() < c.Issued {
		return ops.Errorf(ops.Denied, "the decision is of the future").WithHint("set this machine's clock")
	}
	return nil
}

// VerifyToken reads a decision's token offline. One that was not signed with the key, or is over, is Denied.
func VerifyToken(public ed25519.PublicKey, token string, now time.Time) (Claims, error) {
	c, err := ReadToken(public, token)
	if err == nil {
		err = c.ValidAt(now)
	}
	return c, err
}

// ReadKey reads the gate's public key: a JSON Web Key, or its x alone.
func ReadKey(text string) (ed25519.PublicKey, error) {
	x := strings.TrimSpace(text)
	if strings.HasPrefix(x, "{") {
		var k ops.GateKey
		if json.Unmarshal([]byte(x), &k) != nil || k.Type != "OKP" || k.Curve != "Ed25519" {
			return nil, ops.Errorf(ops.Invalid, "this is not a JSON Web Key of Ed25519")
		}
		x = k.X
	}
	key, err := b64.DecodeString(strings.TrimRight(x, "="))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, ops.Errorf(ops.Invalid, "a key of the gate is %d bytes in base64url", ed25519.PublicKeySize)
	}
	return key, nil
}

func cutLast(token string) (text, signature string, ok bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return "", "", false
	}
	return token[:i], token[i+1:], true
}

// signingKey is the gate's key as it stands in the journal.
type signingKey struct {
	Seed   []byte `json:"seed"`
	Public string `json:"public"`
}

// loadKey reads the gate's key, or makes one and has it on disk before it signs anything.
func loadKey(ctx context.Context, j Journal, seed []byte) (ed25519.PrivateKey, error) {
	var stored signingKey
	if err := j.Load(ctx, kindKey, func(r ops.Record) error { return json.Unmarshal(r.Body, &stored) }); err != nil {
		return nil, err
	}
	switch {
	case seed != nil && len(seed) != ed25519.SeedSize:
		return nil, ops.Errorf(ops.Invalid, "the signing key must have %d bytes", ed25519.SeedSize).At("gate.signing_key")
	case seed != nil:
		return ed25519.NewKeyFromSeed(seed), nil
	case len(stored.Seed) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(stored.Seed), nil
	}
	seed = make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	key := ed25519.NewKeyFromSeed(seed)
	stored = signingKey{Seed: seed, Public: b64.EncodeToString(key.Public().(ed25519.PublicKey))}
	_, err := j.Append(ops.Mutation{Put: []ops.Record{ops.Encode(kindKey, "gate", stored)}}).Wait(ctx)
	return key, err
}

// PublicKey is the key with which anyone can check the gate's tokens.
func (s *Service) PublicKey() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

// Key is PublicKey as others take it.
func (s *Service) Key(context.Context) (ops.GateKey, error) {
	return ops.GateKey{Type: "OKP", Curve: "Ed25519", X: b64.EncodeToString(s.PublicKey()), Algorithm: "EdDSA", Use: "sig"}, nil
}
