package mqtt

import (
	"strings"
	"testing"
	"unicode/utf8"

	"goc/ops"
)

func TestTopics(t *testing.T) {
	for _, c := range []struct {
		name, topic, store, device string
	}{
		{"a device", "goc/heartbeat/SH-001/pos-03", "SH-001", "pos-03"},
		{"dots in names", "goc/heartbeat/S.H/pos.3", "S.H", "pos.3"},
		{"names in Chinese", "goc/heartbeat/上海一店/收银机", "上海一店", "收银机"},
		{"no device", "goc/heartbeat/SH-001", "", ""},
		{"an empty device", "goc/heartbeat/SH-001/", "", ""},
		{"an empty store", "goc/heartbeat//pos-03", "", ""},
		{"a level too many", "goc/heartbeat/SH-001/pos-03/x", "", ""},
		{"another tree", "goc/status/SH-001/pos-03", "", ""},
		{"a wildcard for a store", "goc/heartbeat/+/pos-03", "", ""},
		{"a wildcard for all", "goc/heartbeat/#", "", ""},
		{"an NATS wildcard", "goc/heartbeat/SH-001/*", "", ""},
		{"a blank", "goc/heartbeat/SH 001/pos-03", "", ""},
		{"a control character", "goc/heartbeat/SH-001/pos\x00", "", ""},
		{"a name of 129 bytes", "goc/heartbeat/SH-001/" + strings.Repeat("x", 129), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, device, ok := parseTopic(c.topic)
			if ok != (c.store != "") || (ok && (store != c.store || device != c.device)) {
				t.Errorf("got %q %q %v", store, device, ok)
			}
		})
	}
}

// FuzzTopic holds both spellings of a topic to one another: what is read can be said, and reads the same.
func FuzzTopic(f *testing.F) {
	for _, s := range []string{"goc/heartbeat/a/b", "goc.heartbeat.a.b", "goc.heartbeat.a//.b//c", "goc/heartbeat/a/b/c", "goc.heartbeat.a./.b", "goc.heartbeat..", "goc/heartbeat/+/#", "goc.heartbeat.*.>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if store, device, ok := parseTopic(s); ok {
			if !sayable(store) || !sayable(device) || prefix+store+"/"+device != s {
				t.Errorf("topic %q reads %q %q", s, store, device)
			}
			if a, b, ok := parseSubject(subject(store, device)); !ok || a != store || b != device {
				t.Errorf("%q %q comes back as %q %q %v", store, device, a, b, ok)
			}
		}
		if store, device, ok := parseSubject(s); ok && subject(store, device) != s {
			t.Errorf("subject %q reads %q %q", s, store, device)
		}
	})
}

// FuzzPayload holds that whatever comes is a beat of its topic's device, or refused.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{"", "{}", `{"kind":"pos"}`, `{"store":"x"}`, "[{}]", "{}{}", "{", "null", `{"at":1e400}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, reason := beat("SH-001", "pos-03", payload)
		if reason == "" && (h.Store != "SH-001" || h.Device != "pos-03") {
			t.Errorf("%q speaks for %s/%s", payload, h.Store, h.Device)
		}
	})
}

// FuzzLogin holds what a user name may be allowed: one device, or one store, and never more than its principal's.
func FuzzLogin(f *testing.F) {
	f.Add("device:a/b", "a/b")
	f.Add("store:a", "a")
	f.Add("store:a", "a/b")
	f.Add("store:*", "*")
	f.Add("device:a/>", "a/>")
	f.Add("gateway", "x")
	f.Fuzz(func(t *testing.T, name, user string) {
		allowed, err := allowance(ops.Principal{Name: name, Role: ops.Agent}, user)
		store, device := speaker(ops.Principal{Name: name})
		if err != nil || (store == "" && !strings.Contains(user, "/")) || !utf8.ValidString(allowed) {
			return
		}
		stars := strings.Count(allowed, "*")
		if strings.Contains(allowed, ">") || stars > 1 || (stars == 1 && (device != "" || !strings.HasSuffix(allowed, ".*"))) {
			t.Errorf("%q as %q may speak on %q", name, user, allowed)
		}
		if device != "" && allowed != subject(store, device) {
			t.Errorf("%q as %q may speak on %q", name, user, allowed)
		}
	})
}
