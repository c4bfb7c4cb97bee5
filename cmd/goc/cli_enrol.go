package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// deviceArg is a device's id, store/device.
type deviceArg struct {
	ID string `arg:"" name:"device" help:"STORE/DEVICE."`
}

func (d deviceArg) split() (store, device string, err error) {
	store, device, ok := strings.Cut(d.ID, "/")
	if !ok || store == "" || device == "" {
		return "", "", exit(exitUsage, errors.New("a device is given as STORE/DEVICE"))
	}
	return store, device, nil
}

// loginView is a device's secret as the API shows it, once.
type loginView struct {
	Store    string `json:"store"`
	Device   string `json:"device"`
	Username string `json:"username"`
	Password string `json:"password"`
}

func (l loginView) tell(c *client, s streams) error {
	fmt.Fprintf(s.err, "the secret of %s; it is not shown again\n", l.Username)
	return c.show(s, l, func(w io.Writer) { fmt.Fprintln(w, l.Password) })
}

type fleetEnrolCmd struct{ deviceArg }

// Run enrols a device; --token is the enrolment token.
func (k *fleetEnrolCmd) Run(ctx context.Context, c *client, s streams) error {
	store, device, err := k.split()
	if err != nil {
		return err
	}
	var l loginView
	if err := c.do(ctx, http.MethodPost, "/api/v1/devices/enrol", map[string]string{"store": store, "device": device}, &l); err != nil {
		return err
	}
	return l.tell(c, s)
}

type fleetLoginCmd struct {
	Issue  fleetLoginIssueCmd  `cmd:"" help:"Give a device a new secret. It is shown once; the one before ends."`
	Revoke fleetLoginRevokeCmd `cmd:"" help:"Take a device's secret back; its sessions end within a minute."`
}

type fleetLoginIssueCmd struct{ deviceArg }

// Run gives a device a new secret.
func (k *fleetLoginIssueCmd) Run(ctx context.Context, c *client, s streams) error {
	store, device, err := k.split()
	if err != nil {
		return err
	}
	var l loginView
	if err := c.do(ctx, http.MethodPost, api("devices", store, device, "login"), nil, &l); err != nil {
		return err
	}
	return l.tell(c, s)
}

type fleetLoginRevokeCmd struct{ deviceArg }

// Run takes a device's secret back.
func (k *fleetLoginRevokeCmd) Run(ctx context.Context, c *client, s streams) error {
	store, device, err := k.split()
	if err != nil {
		return err
	}
	if err := c.do(ctx, http.MethodDelete, api("devices", store, device, "login"), nil, nil); err != nil {
		return err
	}
	return c.show(s, map[string]string{"revoked": k.ID}, func(w io.Writer) { fmt.Fprintf(w, "the secret of %s is revoked\n", k.ID) })
}
