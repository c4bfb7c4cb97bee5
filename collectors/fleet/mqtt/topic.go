package mqtt

import (
	"strings"

	"goc/ops"
)

// prefix is how every topic begins that says that a device is alive: goc/heartbeat/{store}/{device}.
const prefix = "goc/heartbeat/"

// parseTopic reads store and device from a topic. Wildcards are no names.
func parseTopic(topic string) (store, device string, ok bool) {
	rest, ok := strings.CutPrefix(topic, prefix)
	if !ok {
		return "", "", false
	}
	store, device, ok = strings.Cut(rest, "/")
	return store, device, ok && sayable(store) && sayable(device)
}

// sayable says whether a store's or device's name can stand in a topic of its own: the embedded server writes topics
// with dots in place of slashes, where blanks, * and > have a meaning, and MQTT itself keeps + and # for wildcards.
func sayable(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c <= ' ', c == 0x7f, c == '/', c == '+', c == '#', c == '*', c == '>':
			return false
		}
	}
	return true
}

// maxName bounds store and device in a topic, as the fleet does.
const maxName = 128

// subjectPrefix is prefix as the embedded server writes it.
const subjectPrefix = "goc.heartbeat."

// subject is the topic of a device as the embedded server writes it: a dot of a name becomes two slashes, a slash of
// the topic a dot.
func subject(store, device string) string {
	return subjectPrefix + strings.ReplaceAll(store, ".", "//") + "." + strings.ReplaceAll(device, ".", "//")
}

// parseSubject reads store and device back. Names without a dot cost nothing.
func parseSubject(s string) (store, device string, ok bool) {
	rest, ok := strings.CutPrefix(s, subjectPrefix)
	if !ok {
		return "", "", false
	}
	store, device, ok = strings.Cut(rest, ".")
	if !ok || strings.IndexByte(device, '.') >= 0 {
		return "", "", false
	}
	if strings.IndexByte(rest, '/') >= 0 {
		store, device = strings.ReplaceAll(store, "//", "."), strings.ReplaceAll(device, "//", ".")
	}
	return store, device, sayable(store) && sayable(device)
}

// speaker is for whom a principal may speak: device:STORE/DEV for one device, store:STORE for those of one store, and
// an agent of any other name for all.
func speaker(p ops.Principal) (store, device string) {
	if d, ok := strings.CutPrefix(p.Name, "device:"); ok {
		store, device, _ = strings.Cut(d, "/")
		return store, device
	}
	store, _ = strings.CutPrefix(p.Name, "store:")
	if store == p.Name {
		store = ""
	}
	return store, ""
}
