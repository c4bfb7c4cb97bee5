package web_test

import (
	"testing"

	"goc/web"
)

func FuzzALiveMessageIsReadOrRefused(f *testing.F) {
	for _, s := range []string{`{"subscribe":["situation","incident:INC-1"],"since":12}`, `{"unsubscribe":["fleet"]}`, `{}`, `[]`, `null`, `{"since":1e99}`, `{"subscribe":[null]}`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := web.ParseCommand(data)
		if err != nil {
			return
		}
		if len(c.Subscribe) > 64 || (c.Since != nil && *c.Since < 0) {
			t.Errorf("let through: %+v", c)
		}
	})
}

func FuzzATokensTypingErrorIsFound(f *testing.F) {
	_, secret := web.NewSecret()
	f.Add(secret, 9, byte('x'))
	f.Add("goc_", 0, byte('_'))
	f.Fuzz(func(t *testing.T, token string, at int, c byte) {
		id, ok := web.TokenID(token)
		if !ok {
			return
		}
		if len(id) != 8 {
			t.Errorf("id %q", id)
		}
		if at < 0 || at >= len(token) || token[at] == c {
			return
		}
		if wrong := token[:at] + string(rune(c)) + token[at+1:]; wrong != token {
			if _, ok := web.TokenID(wrong); ok {
				t.Errorf("%q passes for %q", wrong, token)
			}
		}
	})
}
