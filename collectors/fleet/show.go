package fleet

import (
	"context"
	"sort"
	"time"

	"goc/ops"
)

// Device answers one device; NotFound when there is none.
func (s *Service) Device(_ context.Context, store, device string) (ops.Device, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id, ok := s.t.find(store, device)
	if !ok {
		return ops.Device{}, ops.Errorf(ops.NotFound, "no such device").WithHint("a device's id is store/device, like SH-001/pos-03")
	}
	return s.device(id), nil
}

// StoreView answers one store with its devices in the order of their names; NotFound when there is none.
func (s *Service) StoreView(_ context.Context, id string) (ops.StoreView, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, ok := s.t.storeID[id]
	if !ok {
		return ops.StoreView{}, ops.Errorf(ops.NotFound, "no such store")
	}
	st := &s.t.stores[i]
	v := ops.StoreView{Store: st.Store, Open: st.isOpen, States: map[string]int{}, Devices: make([]ops.Device, 0, len(st.rows))}
	for state, n := range st.n {
		if n > 0 {
			v.States[ops.DeviceState(state).String()] = int(n)
		}
	}
	for _, id := range st.rows {
		v.Devices = append(v.Devices, s.device(id))
	}
	sort.Slice(v.Devices, func(i, j int) bool { return v.Devices[i].Device < v.Devices[j].Device })
	return v, nil
}

// device is a row as the outside sees it.
func (s *Service) device(id int32) ops.Device {
	r := &s.t.rows[id]
	m := &s.t.makes[r.make]
	d := ops.Device{
		ID: s.t.id(id), Store: s.t.stores[r.store].ID, Device: s.t.names.all[r.name],
		Kind: s.t.kinds.all[m.kind], Model: s.t.models.all[m.model], Firmware: s.t.models.all[m.firmware],
		State: r.state, Since: when(r.since), SeenAt: when(r.seen), Note: s.t.notes[id],
	}
	if r.seen > 0 {
		d.Status = r.status.String()
		d.Deadline = when(s.facts(id).deadline())
	}
	if r.battery >= 0 {
		b := float64(int(r.battery*1e4+0.5)) / 1e4
		d.Battery = &b
	}
	return d
}

// when turns Unix milliseconds into a time, 0 into none.
func when(ms int64) ops.Time {
	if ms == 0 {
		return ops.Time{}
	}
	return ops.At(time.UnixMilli(ms).UTC())
}
