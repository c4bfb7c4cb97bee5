package fleet

import (
	"context"
	"sort"
	"time"

	"goc/ops"
)

// Device answers one device; NotFound when there is none.
func (s *Service) Device(_ context.Context, store, device string) (ops.Device, error) {
	sh := &s.shards[shardOf(store)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if site, ok := sh.index[store]; ok {
		if id, ok := sh.find(&sh.sites[site], device); ok {
			d := s.device(sh, id)
			d.History = sh.history(id)
			return d, nil
		}
	}
	return ops.Device{}, ops.Errorf(ops.NotFound, "no such device").WithHint("a device's id is store/device, like SH-001/pos-03")
}

// StoreView answers one store with its devices in the order of their names; NotFound when there is none.
func (s *Service) StoreView(_ context.Context, id string) (ops.StoreView, error) {
	sh := &s.shards[shardOf(id)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	i, ok := sh.index[id]
	if !ok {
		return ops.StoreView{}, ops.Errorf(ops.NotFound, "no such store")
	}
	st := &sh.sites[i]
	v := ops.StoreView{Store: st.Store, Open: st.isOpen, Flaps: sh.storeFlaps(i), States: map[string]int{}, Devices: make([]ops.Device, 0, st.count)}
	for state, n := range st.n {
		if n > 0 {
			v.States[ops.DeviceState(state).String()] = int(n)
		}
	}
	st.each(func(id uint32) { v.Devices = append(v.Devices, s.device(sh, id)) })
	sort.Slice(v.Devices, func(i, j int) bool { return v.Devices[i].Device < v.Devices[j].Device })
	return v, nil
}

// device is a row as the outside sees it.
func (s *Service) device(sh *shard, id uint32) ops.Device {
	r := sh.rows.at(id)
	m := &s.makes.list()[sh.cells.at(r.cell).mk]
	d := ops.Device{
		ID: sh.id(id), Store: sh.siteOf(id).ID, Device: sh.nameOf(id),
		Kind: m.kind, Model: m.model, Firmware: m.firmware,
		State: r.state, Since: when(r.since), SeenAt: when(r.seen), Note: sh.notes[id],
		Flapping: sh.flapping(id), ClockOffS: float64(sh.off(id)) / 1000,
	}
	if r.seen > 0 {
		f := s.facts(sh, id)
		d.Status, d.Deadline = r.status().String(), when(f.deadline())
	}
	if r.battery != noBattery {
		b := float64(r.battery) / 10_000
		d.Battery = &b
	}
	if r.flags&gauged != 0 {
		d.Readings, d.Why = sh.readingsOf(id, m.limits)
		for i := range d.Readings {
			*lastOf(&d, d.Readings[i].Name) = &d.Readings[i].Value
		}
	}
	switch {
	case r.state != ops.Degraded:
		d.Why = nil
	case r.status() != 0:
		d.Why = append([]string{"it says so itself: " + r.status().String()}, d.Why...)
	}
	return d
}

// lastOf is the field of d that holds the last value of a reading.
func lastOf(d *ops.Device, name string) **float64 {
	switch name {
	case "temperature":
		return &d.Temperature
	case "paper":
		return &d.Paper
	case "queue":
		return &d.Queue
	}
	return &d.Battery
}

// when turns Unix milliseconds into a time, 0 into none.
func when(ms int64) ops.Time {
	if ms == 0 {
		return ops.Time{}
	}
	return ops.At(time.UnixMilli(ms).UTC())
}
