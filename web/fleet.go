package web

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"goc/ops"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// batch is the answer to many of which some may be rejected.
type batch struct {
	Accepted int            `json:"accepted"`
	Rejected []ops.Rejected `json:"rejected"`
}

// fleetKeys are what a roll-up may group by.
var fleetKeys = []string{"region", "city", "store", "kind", "model", "firmware", "network", "state"}

// DeviceFilter narrows to some devices.
type DeviceFilter struct {
	State    string `query:"state" enum:"never_seen,online,degraded,late,offline,closed,retired" doc:"only devices in this state"`
	Region   string `query:"region" maxLength:"4096" doc:"comma-separated"`
	City     string `query:"city" maxLength:"4096" doc:"comma-separated"`
	Store    string `query:"store" maxLength:"4096" doc:"comma-separated"`
	Kind     string `query:"kind" maxLength:"4096" doc:"comma-separated"`
	Model    string `query:"model" maxLength:"4096" doc:"comma-separated"`
	Firmware string `query:"firmware" maxLength:"4096" doc:"comma-separated"`
	Paging
}

func (q *DeviceFilter) scope() ops.Scope {
	return ops.Scope{
		Region: values(q.Region), City: values(q.City), Store: values(q.Store),
		Kind: values(q.Kind), Model: values(q.Model), Firmware: values(q.Firmware),
	}
}

type fleetQuery struct {
	GroupBy string `query:"group_by" maxLength:"256" doc:"comma-separated: region, city, store, kind, model, firmware, network, state; city by default"`
	DeviceFilter
}

// rollUpFleet answers rows of devices counted by state.
func (s *Server) rollUpFleet(ctx context.Context, in *fleetQuery) (ops.List[ops.FleetGroup], error) {
	none := ops.List[ops.FleetGroup]{}
	by := values(in.GroupBy)
	if len(by) == 0 {
		by = []string{"city"}
	}
	for _, k := range by {
		if !slices.Contains(fleetKeys, k) {
			return none, ops.Errorf(ops.Invalid, "must be made of %s", strings.Join(fleetKeys, ", ")).At("query.group_by")
		}
	}
	all, err := s.o.Fleet.Rollup(ctx, ops.FleetQuery{GroupBy: by, State: in.State, Scope: in.scope()})
	if err != nil {
		return none, err
	}
	return pageOf(all, in.page())
}

// values splits a comma-separated list; "" has none.
func values(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func (s *Server) listCauses(ctx context.Context, _ *struct{}) (ops.FleetCauses, error) {
	return s.o.Fleet.Causes(ctx)
}

func (s *Server) getWall(ctx context.Context, _ *struct{}) (ops.Wall, error) {
	return s.o.Fleet.Wall(ctx)
}

func (s *Server) getStore(ctx context.Context, in *ByID) (ops.StoreView, error) {
	return s.o.Fleet.StoreView(ctx, in.ID)
}

func (s *Server) getDevice(ctx context.Context, in *ByID) (ops.Device, error) {
	store, device, ok := strings.Cut(in.ID, "/")
	if !ok {
		return ops.Device{}, ops.Errorf(ops.NotFound, "no such device").WithHint("a device's id is store/device, with the slash as %2F or as it is")
	}
	return s.o.Fleet.Device(ctx, store, device)
}

func (s *Server) getDeviceOf(ctx context.Context, in *deviceOf) (ops.Device, error) {
	return s.o.Fleet.Device(ctx, in.Store, in.Device)
}

// Catalog is the catalog as the API shows it.
type Catalog struct {
	Services    []ops.Service    `json:"services"`
	Stores      []ops.Store      `json:"stores"`
	DeviceKinds []ops.DeviceKind `json:"device_kinds"`
	Holidays    []ops.Holiday    `json:"holidays,omitempty"`
}

func (s *Server) getCatalog(context.Context, *struct{}) (Catalog, error) {
	c := s.o.Catalog()
	return Catalog{c.Services, c.Stores, c.DeviceKinds, c.Holidays}, nil
}

// say takes one thing that was said, or an array.
func (s *Server) say(w http.ResponseWriter, r *http.Request) {
	data, err := readBody(r)
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	said, err := voices(data)
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	rejected, err := s.o.Voice.Say(r.Context(), who(r.Context()), said)
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	if rejected == nil {
		rejected = []ops.Rejected{}
	}
	writeJSON(w, http.StatusAccepted, batch{len(said) - len(rejected), rejected})
}

// voices reads one object or an array of them.
func voices(data []byte) ([]ops.Voice, error) {
	if strings.HasPrefix(strings.TrimLeft(string(data[:min(len(data), 64)]), " \t\r\n"), "[") {
		var many []ops.Voice
		err := decodeStrict(data, &many)
		return many, err
	}
	var one ops.Voice
	err := decodeStrict(data, &one)
	return []ops.Voice{one}, err
}

func (s *Server) listTopics(ctx context.Context, in *Paging) (ops.List[ops.Topic], error) {
	all, err := s.o.Voice.Topics(ctx)
	if err != nil {
		return ops.List[ops.Topic]{}, err
	}
	return pageOf(all, in.page())
}
