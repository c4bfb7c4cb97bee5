package web

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"goc/ops"
)

// readFile reads the file of tokens that are managed elsewhere. A file that is wrong is an error that names the line.
func (a *auth) readFile() error {
	if a.o.Config.TokensFile == "" {
		return nil
	}
	f, err := os.Open(a.o.Config.TokensFile)
	if err != nil {
		return fmt.Errorf("auth.tokens_file: %w", err)
	}
	defer f.Close()
	var out []storedToken
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		t, err := fileToken(strings.Fields(text))
		if err != nil {
			return fmt.Errorf("auth.tokens_file: %s:%d: %w", a.o.Config.TokensFile, n, err)
		}
		out = append(out, t)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("auth.tokens_file: %w", err)
	}
	a.mu.Lock()
	a.file = out
	a.mu.Unlock()
	return nil
}

// fileToken reads a line: NAME ROLE TOKEN or NAME ROLE sha256:HEX.
func fileToken(fields []string) (storedToken, error) {
	if len(fields) != 3 {
		return storedToken{}, errors.New("a line must read NAME ROLE TOKEN or NAME ROLE sha256:HEX")
	}
	if !maySign(fields[0]) {
		return storedToken{}, errors.New("a name must have 1 to 128 bytes of printable text")
	}
	if strings.HasPrefix(fields[0], enrolPrefix) {
		return storedToken{}, errors.New("a token that enrols devices is used up, so it cannot stand in a file")
	}
	role := ops.Role(fields[1])
	if !role.Valid() {
		return storedToken{}, errors.New("the role must be one of viewer, responder, commander, admin, ci, agent, sender")
	}
	hash, hashed := strings.CutPrefix(fields[2], "sha256:")
	if hashed {
		if b, err := hex.DecodeString(hash); err != nil || len(b) != 32 {
			return storedToken{}, errors.New("sha256: must be followed by 64 hex digits")
		}
	} else {
		if len(fields[2]) < 24 {
			return storedToken{}, errors.New("a token must have at least 24 characters")
		}
		hash = hashOf(fields[2])
	}
	return storedToken{Token{Name: fields[0], Role: role}, strings.ToLower(hash)}, nil
}

// EnsureAdminToken writes a first admin's token to dir/admin-token (readable by its owner only) when nobody could get
// in otherwise: there is no token yet, no file of tokens, and anonymous is off. It says where, and whether it did.
func (s *Server) EnsureAdminToken(ctx context.Context, dir string) (path string, created bool, err error) {
	path = filepath.Join(dir, "admin-token")
	s.auth.mu.RLock()
	needed := len(s.auth.tokens) == 0 && len(s.auth.file) == 0 && !s.o.Config.Anonymous
	s.auth.mu.RUnlock()
	if !needed {
		return path, false, nil
	}
	_, secret, err := s.auth.create(ctx, ops.System, TokenSpec{Name: "first-admin", Role: ops.Admin})
	if err != nil {
		return path, false, err
	}
	// Written whole and then renamed: a crash in between leaves no half of a token.
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, []byte(secret+"\n"), 0o600); err != nil {
		return path, false, fmt.Errorf("write the first admin's token: %w", err)
	}
	return path, true, os.Rename(tmp, path)
}

func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
