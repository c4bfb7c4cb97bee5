package web_test

import (
	"os"
	"path/filepath"
	"testing"

	"goc/ops"
	"goc/web"
)

func TestATokenIsALoginForOtherWaysInToo(t *testing.T) {
	const inFile = "a-token-that-stands-in-a-file"
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("store:SH-001 agent "+inFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *web.Options) { o.Config.TokensFile = file })
	made := w.must(201, w.do(ops.Admin, "POST", "/api/v1/tokens", `{"name":"device:SH-001/pos-03","role":"agent","expires_in":"1h"}`)).json(t)
	p, key, expires, err := w.server.Login(made["token"].(string))
	if err != nil || p != (ops.Principal{Name: "device:SH-001/pos-03", Role: ops.Agent}) || expires.IsZero() || !w.server.StillIn(key) {
		t.Errorf("a token of the API: %v %v %v", p, expires, err)
	}
	w.must(204, w.do(ops.Admin, "DELETE", "/api/v1/tokens/"+made["id"].(string), ""))
	if w.server.StillIn(key) {
		t.Error("a revoked token is still in")
	}
	p, key, _, err = w.server.Login(inFile)
	if err != nil || p.Name != "store:SH-001" || !w.server.StillIn(key) {
		t.Errorf("a token of the file: %v %v", p, err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.server.ReloadTokens(); err != nil || w.server.StillIn(key) {
		t.Errorf("taken out of the file, it is still in (%v)", err)
	}
	for _, key := range []string{"", "token:", "file:", "token:nobody"} {
		if w.server.StillIn(key) {
			t.Errorf("%q is in", key)
		}
	}
	if _, _, _, err := w.server.Login("nonsense"); err == nil {
		t.Error("nonsense is a token")
	}
}
