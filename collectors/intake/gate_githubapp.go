package intake

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"time"

	"goc/ops"
)

// GitHubApp is the GitHub App whose protection rule the gate is.
type GitHubApp struct {
	AppID          string `yaml:"app_id"`
	PrivateKeyFile string `yaml:"private_key_file"` // PEM, as GitHub gives it
	APIURL         string `yaml:"api_url"`          // default https://api.github.com; https://HOST/api/v3 of a GitHub Enterprise Server
}

// githubApp proves itself to GitHub: with a token that it signs for a token of the installation.
type githubApp struct {
	id, api string
	key     *rsa.PrivateKey
}

// open reads the key; nil when no App is configured.
func (g GitHubApp) open() (*githubApp, error) {
	if g.AppID == "" && g.PrivateKeyFile == "" {
		return nil, nil
	}
	const place = "hooks.github_app"
	api := strings.TrimSuffix(g.APIURL, "/")
	if api == "" {
		api = "https://api.github.com"
	}
	if !apiURL(api) {
		return nil, ops.Errorf(ops.Invalid, "must be a URL").At(place + ".api_url")
	}
	if g.AppID == "" {
		return nil, ops.Errorf(ops.Invalid, "is missing").At(place + ".app_id")
	}
	b, err := os.ReadFile(g.PrivateKeyFile)
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "cannot be read: %w", err).At(place + ".private_key_file")
	}
	key, err := readRSA(b)
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "holds no RSA private key in PEM").At(place + ".private_key_file")
	}
	return &githubApp{id: g.AppID, api: api, key: key}, nil
}

func readRSA(b []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, ops.Errorf(ops.Invalid, "is no PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if key, ok := k.(*rsa.PrivateKey); ok {
		return key, nil
	}
	return nil, err
}

// jwt signs who we are (RFC 7519, RS256). GitHub takes at most ten minutes, and clocks differ.
func (g *githubApp) jwt(now time.Time) (string, error) {
	claims, _ := json.Marshal(map[string]any{"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(8 * time.Minute).Unix(), "iss": g.id})
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, g.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// token asks for a token of the installation that may do no more than answer for this repository's deployments.
func (g *githubApp) token(ctx context.Context, s *Service, c *githubCall) (string, error) {
	jwt, err := g.jwt(s.now())
	if err != nil {
		return "", err
	}
	ask := map[string]any{"permissions": map[string]string{"deployments": "write"}}
	if digits.MatchString(c.Repository) {
		ask["repository_ids"] = []json.Number{json.Number(c.Repository)}
	}
	answer, err := s.call(ctx, g.api+"/app/installations/"+c.Installation+"/access_tokens", githubHeaders(jwt), ask)
	if err != nil {
		return "", err
	}
	var t struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(answer, &t) != nil || t.Token == "" {
		return "", ops.Errorf(ops.Unavailable, "GitHub's answer holds no token")
	}
	return t.Token, nil
}
