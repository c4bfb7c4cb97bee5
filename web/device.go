package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"goc/ops"
)

const (
	devicePrefix   = "gocd_"  // a device's secret begins so
	enrolPrefix    = "enrol:" // the name of a token that enrols devices of one store
	enrolRoute     = "POST " + prefix + "/devices/enrol"
	maxUses        = 100_000
	maxEnrolFor    = 30 * 24 * time.Hour
	maxDeviceCache = 10_000  // hashes of devices' secrets that are kept in memory
	maxRevoked     = 100_000 // revoked secrets that are known without asking the journal
	deviceAskTime  = 5 * time.Second
)

// deviceLogin is the record of kind "device_login", by store/device: whoever has the secret speaks for that device.
type deviceLogin struct {
	Hash      string   `json:"hash"` // SHA-256 of the secret, in hex
	CreatedAt ops.Time `json:"created_at"`
	CreatedBy string   `json:"created_by"`
}

type (
	// DeviceLogin is what a device shows: the password of MQTT and of Basic auth, or a bearer token. It is said this once.
	DeviceLogin struct {
		Store    string `json:"store"`
		Device   string `json:"device"`
		Username string `json:"username"`
		Password string `json:"password"`
	}
	enrolRequest struct {
		Store  string `json:"store,omitempty" maxLength:"128" doc:"empty: the token's"`
		Device string `json:"device" required:"true" minLength:"1" maxLength:"128"`
	}
	deviceOf struct {
		Store  string `path:"store" maxLength:"128"`
		Device string `path:"device" maxLength:"128"`
	}
)

// deviceSecrets are the secrets that devices have of their own. Those of a fleet would not fit into memory: they lie in the
// journal, and a login reads one.
type deviceSecrets struct {
	hashes  map[string]string   // by store/device; some
	revoked map[string]struct{} // Login's keys, since the start
	many    bool                // more were revoked than are known
	joining map[string]struct{} // devices whose first secret is on its way to disk; guarded by auth.issuing
}

// newDeviceSecret makes a secret that says whose it is: gocd_<store/device in base32>_<secret>_<crc>.
func newDeviceSecret(id string) string {
	var b [20]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	body := devicePrefix + strings.ToLower(tokenText.EncodeToString([]byte(id))) + "_" + strings.ToLower(tokenText.EncodeToString(b[:]))
	return body + "_" + checksum(body)
}

// deviceOfSecret reads whose secret it is, and says whether it is well formed.
func deviceOfSecret(secret string) (id string, ok bool) {
	parts := strings.Split(secret, "_")
	if len(parts) != 4 || parts[0]+"_" != devicePrefix || len(parts[2]) != 32 {
		return "", false
	}
	raw, err := tokenText.DecodeString(strings.ToUpper(parts[1]))
	if err != nil || checksum(secret[:len(secret)-len(parts[3])-1]) != parts[3] {
		return "", false
	}
	return string(raw), true
}

// byDevice finds whose secret it is.
func (a *auth) byDevice(secret string) (identity, error) {
	id, ok := deviceOfSecret(secret)
	if !ok {
		return identity{}, unauthenticated("malformed", "that is no device's secret").hintf("copy it again: a part is missing or mistyped")
	}
	hash, err := a.deviceHash(id)
	if ops.KindOf(err) == ops.NotFound || (err == nil && !sameHash(hash, hashOf(secret))) {
		return identity{}, unauthenticated("unknown", "the device's secret is not known, or was revoked")
	}
	return identity{Principal: ops.Principal{Name: "device:" + id, Role: ops.Agent}, device: deviceKey(id, hash)}, err
}

func deviceKey(id, hash string) string { return "device:" + hash + " " + id }

// deviceHash is the hash of a device's secret; NotFound where it has none.
func (a *auth) deviceHash(id string) (string, error) {
	a.mu.RLock()
	hash, ok := a.devices.hashes[id]
	a.mu.RUnlock()
	if ok {
		return hash, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), deviceAskTime)
	defer cancel()
	a.issuing.Lock() // so that what is read, and kept, is not older than a revocation
	defer a.issuing.Unlock()
	return a.readHash(ctx, id)
}

// readHash reads a device's hash from the journal and keeps it. The caller holds issuing.
func (a *auth) readHash(ctx context.Context, id string) (string, error) {
	r, err := a.o.Journal.Record(ctx, "device_login", id)
	if err != nil {
		return "", err
	}
	var d deviceLogin
	if err := json.Unmarshal(r.Body, &d); err != nil {
		return "", fmt.Errorf("the secret of %s: %w", id, err)
	}
	a.keepHash(id, d.Hash)
	return d.Hash, nil
}

func (a *auth) keepHash(id, hash string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.devices.hashes) >= maxDeviceCache {
		clear(a.devices.hashes)
	}
	a.devices.hashes[id] = hash
}

// deviceStill says whether a device's secret that was good is still.
func (a *auth) deviceStill(key string) bool {
	a.mu.RLock()
	_, gone := a.devices.revoked[key]
	many := a.devices.many
	a.mu.RUnlock()
	if gone || !many {
		return !gone
	}
	hash, id, _ := strings.Cut(strings.TrimPrefix(key, "device:"), " ")
	now, err := a.deviceHash(id)
	return ops.KindOf(err) != ops.NotFound && (err != nil || sameHash(now, hash))
}

// forgetDevice makes a secret, where there was one, unknown from now on.
func (a *auth) forgetDevice(id, hash string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.devices.hashes, id)
	if hash == "" {
		return
	}
	if len(a.devices.revoked) >= maxRevoked {
		a.devices.many = true
		return
	}
	a.devices.revoked[deviceKey(id, hash)] = struct{}{}
}

// validDevice says what is wrong with the name of a store or device.
func validDevice(store, device string) error {
	for _, n := range []struct{ place, name string }{{"body.store", store}, {"body.device", device}} {
		if n.name == "" || !maySign(n.name) || strings.ContainsFunc(n.name, func(r rune) bool { return r == '/' || unicode.IsSpace(r) }) {
			return ops.Errorf(ops.Invalid, "must have 1 to 128 bytes of printable text without a blank or a slash").At(n.place)
		}
	}
	if !maySign("device:" + store + "/" + device) {
		return ops.Errorf(ops.Invalid, "store and device together must have at most 120 bytes").At("body.device")
	}
	return nil
}

// enrol gives a device that has no secret its first, and takes one use off the token. A device that has one keeps it: an
// enrolment token in wrong hands must not take devices over.
func (a *auth) enrol(ctx context.Context, with identity, in enrolRequest) (DeviceLogin, error) {
	store, ok := strings.CutPrefix(with.Name, enrolPrefix)
	if !ok || with.token == "" {
		return DeviceLogin{}, ops.Errorf(ops.Denied, "this takes an enrolment token").WithHint("an admin makes one: goc token create enrol:STORE --role agent --for 24h --uses 20")
	}
	if in.Store != "" && in.Store != store {
		return DeviceLogin{}, ops.Errorf(ops.Denied, "the enrolment token is another store's").At("body.store")
	}
	if err := validDevice(store, in.Device); err != nil {
		return DeviceLogin{}, err
	}
	login, receipt, err := a.join(ctx, with, store, in.Device)
	if err != nil {
		return DeviceLogin{}, err
	}
	_, err = receipt.Wait(context.WithoutCancel(ctx))
	a.issuing.Lock()
	delete(a.devices.joining, login.Username)
	a.issuing.Unlock()
	return login, err
}

// join gives a device its first secret. Until that is on disk the device is among those that join.
func (a *auth) join(ctx context.Context, with identity, store, device string) (DeviceLogin, *ops.Receipt, error) {
	a.issuing.Lock()
	defer a.issuing.Unlock()
	id := store + "/" + device
	_, busy := a.devices.joining[id]
	_, err := a.o.Journal.Record(ctx, "device_login", id)
	if busy || err == nil {
		return DeviceLogin{}, nil, ops.Errorf(ops.Conflict, "the device is enrolled already").WithHint("an admin gives it a new secret: goc fleet login issue STORE/DEVICE")
	}
	if ops.KindOf(err) != ops.NotFound {
		return DeviceLogin{}, nil, err
	}
	used, err := a.use(with.token)
	if err != nil {
		return DeviceLogin{}, nil, err
	}
	login, receipt := a.issue(store, device, with.Name, []ops.Record{used})
	a.devices.joining[id] = struct{}{}
	return login, receipt, nil
}

// use takes one use off an enrolment token, in memory, and returns the record that says so on disk.
func (a *auth) use(token string) (ops.Record, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[token]
	if !ok || t.Uses <= 0 {
		return ops.Record{}, ops.Errorf(ops.Denied, "the enrolment token has no use left").WithHint("an admin makes another")
	}
	t.Uses--
	a.tokens[token] = t
	return ops.Encode("token", token, t), nil
}

// issue makes a device's secret, in place of one that it has. The caller holds issuing, and waits for the receipt.
func (a *auth) issue(store, device, by string, also []ops.Record) (DeviceLogin, *ops.Receipt) {
	id, now := store+"/"+device, ops.At(a.o.Now())
	secret := newDeviceSecret(id)
	d := deviceLogin{Hash: hashOf(secret), CreatedAt: now, CreatedBy: by}
	receipt := a.o.Journal.Append(ops.Mutation{
		Put: append(also, ops.Encode("device_login", id, d)),
		Events: []ops.Event{ops.NewEvent(now, "fleet.login_issued", "fleet", id, by, map[string]any{
			"text": by + " gave " + id + " a secret of its own", "device": id,
		})},
	})
	return DeviceLogin{Store: store, Device: device, Username: id, Password: secret}, receipt
}

// replace gives a device a new secret; the one that it had ends.
func (a *auth) replace(ctx context.Context, who ops.Principal, store, device string) (DeviceLogin, error) {
	if err := validDevice(store, device); err != nil {
		return DeviceLogin{}, err
	}
	id := store + "/" + device
	a.issuing.Lock() // until it is on disk, so that nobody reads, and keeps, the one before
	defer a.issuing.Unlock()
	old, err := a.readHash(ctx, id)
	if err != nil && ops.KindOf(err) != ops.NotFound {
		return DeviceLogin{}, err
	}
	login, receipt := a.issue(store, device, who.Name, nil)
	_, err = receipt.Wait(context.WithoutCancel(ctx))
	a.forgetDevice(id, old)
	return login, err
}

// revokeDevice takes a device's secret back; its live sessions end within a minute.
func (a *auth) revokeDevice(ctx context.Context, who ops.Principal, store, device string) error {
	id := store + "/" + device
	a.issuing.Lock() // until it is on disk, as in replace
	defer a.issuing.Unlock()
	old, err := a.readHash(ctx, id)
	if err != nil {
		return err
	}
	receipt := a.o.Journal.Append(ops.Mutation{
		Delete: []ops.Record{{Kind: "device_login", ID: id}},
		Events: []ops.Event{ops.NewEvent(ops.At(a.o.Now()), "fleet.login_revoked", "fleet", id, who.Name, map[string]any{
			"text": who.Name + " revoked the secret of " + id, "device": id,
		})},
	})
	_, err = receipt.Wait(context.WithoutCancel(ctx))
	a.forgetDevice(id, old)
	return err
}

// enrolsOnly keeps an enrolment token from everything but enrolling.
func enrolsOnly(id identity, r *http.Request) error {
	if strings.HasPrefix(id.Name, enrolPrefix) && r.Pattern != enrolRoute {
		return refuse(http.StatusForbidden, "an enrolment token only enrols devices")
	}
	return nil
}

// validEnrolment holds a token that is to enrol devices to its bounds.
func (t TokenSpec) validEnrolment() error {
	store, enrols := strings.CutPrefix(t.Name, enrolPrefix)
	switch {
	case !enrols && t.Uses != 0:
		return ops.Errorf(ops.Invalid, "only a token named enrol:STORE is used up").At("body.uses")
	case !enrols:
		return nil
	case t.Role != ops.Agent:
		return ops.Errorf(ops.Invalid, "a token named enrol:STORE must be an agent's").At("body.role")
	case t.Uses < 1 || t.Uses > maxUses:
		return ops.Errorf(ops.Invalid, "an enrolment token must say for how many devices it is good: 1 to %d", maxUses).At("body.uses")
	case t.ExpiresIn <= 0 || time.Duration(t.ExpiresIn) > maxEnrolFor:
		return ops.Errorf(ops.Invalid, "an enrolment token must expire within 30 days").At("body.expires_in")
	}
	if err := validDevice(store, "device"); err != nil {
		return ops.Errorf(ops.Invalid, "must be enrol: and the store's id").At("body.name")
	}
	return nil
}

func (s *Server) enrolDevice(ctx context.Context, in *struct{ Body enrolRequest }) (DeviceLogin, error) {
	id, _ := ctx.Value(identityKey{}).(identity)
	return s.auth.enrol(ctx, id, in.Body)
}

func (s *Server) issueLogin(ctx context.Context, in *deviceOf) (DeviceLogin, error) {
	return s.auth.replace(ctx, who(ctx), in.Store, in.Device)
}

func (s *Server) revokeLogin(ctx context.Context, in *deviceOf) error {
	return s.auth.revokeDevice(ctx, who(ctx), in.Store, in.Device)
}
