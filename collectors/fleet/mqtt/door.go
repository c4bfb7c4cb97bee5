package mqtt

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/time/rate"

	"goc/ops"
)

const (
	ourselves    = "goc" // the user of our own connection, which comes over no network
	sweepEvery   = 10 * time.Second
	admitWithin  = 5 * time.Second
	perDevice    = 3      // connections of one device; the oldest gives way: it is the one whose end was not noticed
	maxTold      = 10_000 // copied credentials of which an event told; those after them are counted only
	assignedID   = 22     // letters and digits of a client id that the server gives
	maxTail      = 32     // bytes of a client id after its user
	refusalEvery = 10 * time.Second
)

// door lets devices in: it checks logins, says what each may publish on, and knows who is connected.
type door struct {
	s       *Service
	secret  string
	server  *server.Server
	refused *rate.Limiter // of audit lines about refused logins

	mu     sync.Mutex
	in     map[string]*holder   // by Pass.Key and user
	told   map[string]time.Time // devices of whose copied credential an event told
	missed int                  // refused logins since the last audit line
}

// holder is one credential's connections under one user name, the oldest first.
type holder struct {
	pass  Pass
	user  string
	conns []connection
}

type connection struct {
	id uint64
	ip string
}

func newDoor(s *Service, secret string) *door {
	return &door{s: s, secret: secret, in: map[string]*holder{}, told: map[string]time.Time{}, refused: rate.NewLimiter(rate.Every(refusalEvery), 5)}
}

// Check implements server.Authentication.
func (d *door) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	addr, remote := c.RemoteAddress().(*net.TCPAddr)
	if !remote { // a pipe: only this program has one
		if o.Username != ourselves || subtle.ConstantTimeCompare([]byte(o.Password), []byte(d.secret)) != 1 {
			return false
		}
		c.RegisterUser(&server.User{Username: ourselves})
		return true
	}
	if o.Username == "" && d.s.o.Anonymous && addr.IP.IsLoopback() {
		c.RegisterUser(&server.User{Permissions: may(subjectPrefix + "*.*")})
		return true
	}
	pass, allowed, err := d.admit(o.Username, o.Password)
	if err == nil && !ownsID(o.Username, clientID(c)) {
		d.s.count.refused[badClientID].Inc()
		err = ops.Errorf(ops.Denied, "the client id is not the user's").WithHint("use the user name as client id, or let the server give one")
	} else if err != nil {
		d.s.count.refused[notAdmitted].Inc()
	}
	if err != nil {
		d.audit(addr.IP.String(), err)
		return false
	}
	c.RegisterUser(&server.User{Username: o.Username, Permissions: may(allowed), ConnectionDeadline: pass.Expires})
	d.enter(pass, o.Username, connection{c.GetID(), addr.IP.String()})
	return true
}

// may is what a connection may do: publish on its subjects, and nothing else.
func may(publish string) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{publish}},
		Subscribe: &server.SubjectPermission{Deny: []string{">"}},
	}
}

// admit checks a login, and says on which subject it may speak.
func (d *door) admit(user, password string) (Pass, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), admitWithin)
	defer cancel()
	pass, err := d.s.o.Admit(ctx, user, password)
	if err != nil {
		return Pass{}, "", err
	}
	if pass.Principal.Role != ops.Agent && pass.Principal.Role != ops.Admin {
		return Pass{}, "", ops.Errorf(ops.Denied, "the credential is no agent's")
	}
	if store, _ := speaker(pass.Principal); store == "" && d.s.o.Bound {
		return Pass{}, "", ops.Errorf(ops.Denied, "the credential is bound to no store or device").WithHint("heartbeats.enrol: token asks for device:STORE/DEVICE or store:STORE")
	}
	allowed, err := allowance(pass.Principal, user)
	return pass, allowed, err
}

// allowance is the subject that a principal may speak on under a user name. A name STORE/DEVICE narrows to that device;
// a name without a slash is a gateway's, and must be its store's where the principal is bound to one.
func allowance(p ops.Principal, user string) (string, error) {
	store, device := speaker(p)
	asStore, asDevice, one := strings.Cut(user, "/")
	if !one && store == "" {
		return subjectPrefix + "*.*", nil
	}
	if (store != "" && asStore != store) || (device != "" && asDevice != device) {
		return "", ops.Errorf(ops.Denied, "the user is not the one that the credential was made for").WithHint("the user is STORE/DEVICE, or STORE for a store's gateway")
	}
	if !sayable(asStore) || (one && !sayable(asDevice)) {
		return "", ops.Errorf(ops.Denied, "such a name cannot be said in a topic")
	}
	if one {
		return subject(asStore, asDevice), nil
	}
	return strings.TrimSuffix(subject(asStore, "-"), "-") + "*", nil
}

// clientID reads the client id of a login. The server shows it only in the connection's name: 127.0.0.1:1 - mid:2 - "id".
func clientID(c server.ClientAuthentication) string {
	named, ok := c.(fmt.Stringer)
	if !ok {
		return ""
	}
	parts := strings.SplitN(named.String(), " - ", 3)
	if len(parts) < 3 {
		return ""
	}
	id, err := strconv.Unquote(parts[2])
	if err != nil {
		return ""
	}
	return id
}

// ownsID says whether a client id is the user's own, so that nobody ends another's session by taking its id: the user
// name, the user name with a tail after #, which no name has, or one that the server gave, which nobody can guess.
func ownsID(user, id string) bool {
	if tail, ok := strings.CutPrefix(id, user); ok {
		return tail == "" || (len(tail) <= maxTail && tail[0] == '#')
	}
	if len(id) != assignedID {
		return false
	}
	for i := range len(id) {
		if c := id[i] | 0x20; (c < 'a' || c > 'z') && (id[i] < '0' || id[i] > '9') {
			return false
		}
	}
	return true
}

// enter notes a connection. Where another address holds the same device's credential at this moment, that is told.
func (d *door) enter(p Pass, user string, c connection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := p.Key + " " + user
	h := d.in[key]
	if h == nil {
		h = &holder{pass: p, user: user}
		d.in[key] = h
	}
	d.forgetEnded(h)
	if !strings.Contains(user, "/") {
		h.conns = append(h.conns, c)
		return
	}
	for _, other := range h.conns {
		if other.ip != c.ip {
			d.tellCopied(user, other.ip, c.ip)
			break
		}
	}
	h.conns = append(h.conns, c)
	for len(h.conns) > perDevice {
		d.end(h.conns[0].id)
		h.conns = h.conns[1:]
	}
}

// forgetEnded drops connections that the server no longer has.
func (d *door) forgetEnded(h *holder) {
	left := h.conns[:0]
	for _, c := range h.conns {
		if d.server.GetClient(c.id) != nil {
			left = append(left, c)
		}
	}
	h.conns = left
}

func (d *door) end(id uint64) {
	if d.server.DisconnectClientByID(id) == nil {
		d.s.count.kicked.Inc()
	}
}

// tellCopied counts a copied credential, and tells of it once a device and run of the program.
func (d *door) tellCopied(user, here, there string) {
	d.s.count.clones.Inc()
	if _, ok := d.told[user]; ok || len(d.told) >= maxTold {
		return
	}
	now := d.s.o.Now()
	d.told[user] = now
	// Nobody waits for the receipt: the login must not hang on a commit.
	d.s.o.Journal.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(now), "fleet.credential_copied", "fleet", user, ours.Name, map[string]any{
		"text":   "the credential of " + user + " is used from two addresses at once: it was copied, or the device moved and its old connection has not ended yet",
		"device": user, "addresses": []string{here, there},
	})}})
}

// audit writes that a login was refused, at most some a minute; the line says how many more there were.
func (d *door) audit(remote string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.o.Now()
	if !d.refused.AllowN(now, 1) {
		d.missed++
		return
	}
	missed := d.missed
	d.missed = 0
	d.s.o.Journal.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(now), "auth.refused", "auth", "mqtt", "", map[string]any{
		"text": "an MQTT login was refused: " + err.Error(), "reason": "mqtt", "remote": remote, "route": "mqtt", "more_before": missed,
	})}})
}

// sweep ends the connections of credentials that would not be admitted any more, and forgets those that ended.
func (d *door) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, h := range d.in {
		d.forgetEnded(h)
		if len(h.conns) > 0 && !d.s.o.Still(h.pass) {
			for _, c := range h.conns {
				d.end(c.id)
			}
			h.conns = nil
		}
		if len(h.conns) == 0 {
			delete(d.in, key)
		}
	}
}
