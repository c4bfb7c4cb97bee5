package main

import (
	"context"
	"path/filepath"

	"goc/collectors/fleet/mqtt"
)

// openMQTT comes after the web room, which knows whose a token is, and before anything is served.
func (a *app) openMQTT(ctx context.Context) (err error) {
	a.mqtt, err = mqtt.New(ctx, mqtt.Options{
		Config: a.cfg.Heartbeats.MQTT, Dir: filepath.Join(a.cfg.Data, "mqtt"), Fleet: a.fleet, Journal: a.store,
		Admit: a.admitDevice, Still: func(p mqtt.Pass) bool { return a.web.StillIn(p.Key) }, Anonymous: a.cfg.Auth.Anonymous,
		Bound:      a.cfg.Heartbeats.Enrol == "token",
		Registerer: a.registry, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.closers = append(a.closers, a.mqtt.Close)
	return nil
}

// admitDevice says for whom an MQTT login may speak. Its password is a token.
func (a *app) admitDevice(_ context.Context, _, password string) (mqtt.Pass, error) {
	p, key, expires, err := a.web.Login(password)
	return mqtt.Pass{Principal: p, Key: key, Expires: expires}, err
}

// missing is what is not up, for /readyz.
func (a *app) missing() []string { return a.mqtt.Missing() }
