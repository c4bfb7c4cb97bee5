package web_test

import (
	"context"
	"slices"
	"strings"

	"goc/ops"
)

// fleetRoom is one city of stores. voiceRoom, planRoom and drillRoom below are as small as rooms can be.
type fleetRoom struct{ *rooms }

func (r fleetRoom) Receive(context.Context, ops.Principal, []ops.Heartbeat) (int, []ops.Rejected, error) {
	return 0, nil, nil
}

func (r fleetRoom) Rollup(_ context.Context, q ops.FleetQuery) ([]ops.FleetGroup, error) {
	group := map[string]string{}
	for _, k := range q.GroupBy {
		group[k] = map[string]string{"city": "Shanghai", "store": "SH-001", "region": "east"}[k]
	}
	return []ops.FleetGroup{{Group: group, Total: 3, States: map[string]int{"online": 2, "offline": 1}}}, nil
}

func (r fleetRoom) StoreView(_ context.Context, id string) (ops.StoreView, error) {
	return ops.StoreView{}, ops.Errorf(ops.NotFound, "no such store")
}

func (r fleetRoom) Device(_ context.Context, store, device string) (ops.Device, error) {
	return ops.Device{ID: store + "/" + device, Store: store, Device: device, State: ops.Late}, nil
}

func (r fleetRoom) Causes(context.Context) (ops.FleetCauses, error) {
	return ops.FleetCauses{Causes: []ops.FleetCause{}}, nil
}

func (r fleetRoom) Devices(_ context.Context, q ops.DeviceQuery) ([]ops.Device, string, error) {
	id := strings.Join(append(append(q.Scope.Store, q.Scope.Device...), q.State, q.Page.Cursor), "|")
	return []ops.Device{{ID: id, State: ops.Late}}, id + "/next", nil
}

func (r fleetRoom) List(_ context.Context, who ops.Principal, devices []ops.Heartbeat, dry bool) (done ops.Imported, err error) {
	if len(devices) > 10_000 {
		return done, ops.Errorf(ops.TooLarge, "a batch may hold at most 10000 devices").At("body")
	}
	for i, d := range devices {
		switch {
		case d.Store == "":
			done.Rejected = append(done.Rejected, ops.Rejected{Index: i, Reason: "no store"})
		case dry:
			done.Unchanged++
		default:
			done.New++
		}
	}
	return done, nil
}

func (r fleetRoom) Retire(_ context.Context, _ ops.Principal, devices []ops.DeviceRef) (out []ops.Rejected, _ error) {
	for i, d := range devices {
		if d.Device == "" {
			out = append(out, ops.Rejected{Index: i, Reason: "no such device"})
		}
	}
	return out, nil
}

func (r fleetRoom) Move(_ context.Context, _ ops.Principal, d ops.DeviceRef, store string) (ops.Device, error) {
	if d.Store == store {
		return ops.Device{}, ops.Errorf(ops.Conflict, "the device is that already")
	}
	return r.Device(context.Background(), store, d.Device)
}

func (r fleetRoom) Rename(_ context.Context, _ ops.Principal, d ops.DeviceRef, name string) (ops.Device, error) {
	return r.Device(context.Background(), d.Store, name)
}

func (r fleetRoom) Wall(context.Context) (ops.Wall, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ops.Wall{Layout: r.layout, Cells: slices.Clone(r.cells)}, nil
}

func (r fleetRoom) WatchWall(fn func(uint32, []uint32)) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wall = fn
	close(r.watched)
	return func() {}
}

type voiceRoom struct{ *rooms }

func (r voiceRoom) Say(_ context.Context, _ ops.Principal, said []ops.Voice) (out []ops.Rejected, err error) {
	for i, v := range said {
		if v.Text == "" {
			out = append(out, ops.Rejected{Index: i, Reason: "text is required"})
		}
	}
	return out, nil
}
func (r voiceRoom) Topics(context.Context) ([]ops.Topic, error) { return nil, nil }

type planRoom struct{ *rooms }

func (r planRoom) Plans() []ops.Plan                       { return []ops.Plan{{Name: "rollback", Title: "Roll back"}} }
func (r planRoom) Runs(context.Context) ([]ops.Run, error) { return nil, nil }
func (r planRoom) DryRun(_ context.Context, _ ops.Principal, plan string, _ ops.RunRequest) (ops.DryRun, error) {
	return ops.DryRun{Plan: plan, OK: true}, nil
}

func (r planRoom) Start(_ context.Context, who ops.Principal, plan string, _ ops.RunRequest) (ops.Run, error) {
	return ops.Run{ID: "RUN-1", Plan: plan, StartedBy: who.Name}, nil
}
func (r planRoom) Get(_ context.Context, id string) (ops.Run, error) { return ops.Run{ID: id}, nil }
func (r planRoom) Confirm(_ context.Context, _ ops.Principal, id string) (ops.Run, error) {
	return ops.Run{ID: id}, nil
}

func (r planRoom) Abort(_ context.Context, _ ops.Principal, id string) (ops.Run, error) {
	return ops.Run{ID: id}, nil
}

func (r planRoom) Undo(_ context.Context, _ ops.Principal, id string) (ops.Run, error) {
	return ops.Run{ID: id}, nil
}

type drillRoom struct{ *rooms }

func (r drillRoom) Drills() []ops.Drill                          { return nil }
func (r drillRoom) Runs(context.Context) ([]ops.DrillRun, error) { return nil, nil }
func (r drillRoom) Start(_ context.Context, _ ops.Principal, drill string) (ops.DrillRun, error) {
	return ops.DrillRun{ID: "DRL-1", Drill: drill}, nil
}

func (r drillRoom) Get(_ context.Context, id string) (ops.DrillRun, error) {
	return ops.DrillRun{ID: id}, nil
}

func (r drillRoom) Abort(_ context.Context, _ ops.Principal, id string) (ops.DrillRun, error) {
	return ops.DrillRun{ID: id}, nil
}
