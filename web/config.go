package web

import (
	"net"
	"net/url"
	"strings"
	"time"

	"goc/ops"
)

// Config is the section auth of the configuration: who may use the API.
type Config struct {
	// Anonymous lets anyone in as admin. It is refused unless the server listens on loopback, and counts only for
	// requests that come from there without a proxy.
	Anonymous bool `yaml:"anonymous"`
	// TokensFile names a file of tokens that are managed elsewhere, a line each: NAME ROLE TOKEN, or NAME ROLE sha256:HEX.
	TokensFile string `yaml:"tokens_file"`
	// SessionLifetime is how long a browser stays signed in; 12h by default.
	SessionLifetime ops.Duration `yaml:"session_lifetime"`
	// CookieSecure marks the session's cookie as only for HTTPS. Set it behind a proxy that ends TLS.
	CookieSecure bool `yaml:"cookie_secure"`
	// AllowedOrigins are further origins (https://wall.example.com) whose pages may connect to the live feed.
	AllowedOrigins []string `yaml:"allowed_origins"`
}

// Validate refuses what cannot work.
func (c Config) Validate() error {
	if c.SessionLifetime < 0 || time.Duration(c.SessionLifetime) > 30*24*time.Hour {
		return ops.Errorf(ops.Invalid, "must be between 0 (12h) and 30d").At("auth.session_lifetime")
	}
	for _, o := range c.AllowedOrigins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" {
			return ops.Errorf(ops.Invalid, "an origin must read like https://wall.example.com").At("auth.allowed_origins")
		}
	}
	return nil
}

// sessionLifetime is SessionLifetime or its default.
func (c Config) sessionLifetime() time.Duration {
	if c.SessionLifetime == 0 {
		return 12 * time.Hour
	}
	return time.Duration(c.SessionLifetime)
}

// loopback says whether a host:port (or host) names this machine only.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
