package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"goc/ops"
)

type fleetRetireCmd struct {
	Devices []string `arg:"" help:"Devices, as store/device." name:"device"`
}

// Run takes devices out of service.
func (k *fleetRetireCmd) Run(ctx context.Context, c *client, s streams) error {
	var refs []ops.DeviceRef
	for _, id := range k.Devices {
		ref, err := deviceRef(id)
		if err != nil {
			return err
		}
		refs = append(refs, ref)
	}
	var answer struct {
		Accepted int            `json:"accepted"`
		Rejected []ops.Rejected `json:"rejected"`
	}
	if err := c.do(ctx, http.MethodPost, "/api/v1/devices/retire", map[string]any{"devices": refs}, &answer); err != nil {
		return err
	}
	err := c.show(s, answer, func(w io.Writer) {
		for _, r := range answer.Rejected {
			fmt.Fprintf(w, "%s: %s\n", k.Devices[r.Index], r.Reason)
		}
		fmt.Fprintf(w, "%d retired\n", answer.Accepted)
	})
	if err == nil && len(answer.Rejected) > 0 {
		return exit(exitFailed, nil)
	}
	return err
}

// deviceRef reads store/device.
func deviceRef(id string) (ops.DeviceRef, error) {
	store, device, ok := strings.Cut(id, "/")
	if !ok || store == "" || device == "" {
		return ops.DeviceRef{}, exit(exitUsage, fmt.Errorf("%q should read store/device, like SH-001/pos-03", id))
	}
	return ops.DeviceRef{Store: store, Device: device}, nil
}

type fleetMoveCmd struct {
	Device string `arg:"" help:"The device, as store/device."`
	To     string `help:"The store where it is now." required:"" placeholder:"STORE"`
}

// Run takes a device to another store.
func (k *fleetMoveCmd) Run(ctx context.Context, c *client, s streams) error {
	return relabel(ctx, c, s, k.Device, "move", map[string]string{"store": k.To})
}

type fleetRenameCmd struct {
	Device string `arg:"" help:"The device, as store/device."`
	Name   string `arg:"" help:"Its name from now on."`
}

// Run gives a device another name.
func (k *fleetRenameCmd) Run(ctx context.Context, c *client, s streams) error {
	return relabel(ctx, c, s, k.Device, "rename", map[string]string{"device": k.Name})
}

func relabel(ctx context.Context, c *client, s streams, id, how string, body map[string]string) error {
	ref, err := deviceRef(id)
	if err != nil {
		return err
	}
	c.about = id
	var d ops.Device
	if err := c.do(ctx, http.MethodPost, api("devices", ref.Store, ref.Device, how), body, &d); err != nil {
		return err
	}
	return c.show(s, d, func(w io.Writer) { fmt.Fprintf(w, "%s is now %s (%s)\n", id, d.ID, d.State) })
}

// listDevices shows a page of devices, one by one.
func (k *fleetListCmd) listDevices(ctx context.Context, c *client, s streams) error {
	q := k.filter()
	if k.Cursor != "" {
		q.Set("cursor", k.Cursor)
	}
	q.Set("limit", fmt.Sprint(k.Limit))
	var l ops.List[ops.Device]
	if err := c.do(ctx, http.MethodGet, "/api/v1/devices?"+q.Encode(), nil, &l); err != nil {
		return err
	}
	if l.Next != "" {
		fmt.Fprintf(s.err, "there are more: --cursor %s\n", l.Next)
	}
	return c.show(s, l, func(w io.Writer) {
		table(w, "DEVICE\tSTATE\tSINCE\tSEEN\tKIND\tMODEL\tFIRMWARE\tNOTE", len(l.Items), func(i int) string {
			d := l.Items[i]
			return strings.Join([]string{d.ID, d.State.String(), clock(d.Since), clock(d.SeenAt), d.Kind, d.Model, d.Firmware, d.Note}, "\t")
		})
	})
}
