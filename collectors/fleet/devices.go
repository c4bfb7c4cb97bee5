package fleet

import (
	"context"
	"slices"
	"sort"
	"strings"

	"goc/ops"
)

// Devices lists devices in the order of their stores' ids and then of their names, a page at a time; next is the cursor of
// the page after it, "" after the last. What changes between two pages is in the later one as it then is.
func (s *Service) Devices(_ context.Context, q ops.DeviceQuery) (page []ops.Device, next string, err error) {
	only := -1
	if q.State != "" {
		if only = slices.Index(ops.DeviceStates(), q.State); only < 0 {
			return nil, "", ops.Errorf(ops.Invalid, "may be %s", strings.Join(ops.DeviceStates(), ", ")).At("query.state")
		}
	}
	afterStore, afterDevice, ok := strings.Cut(q.Page.Cursor, "/")
	if !ok && q.Page.Cursor != "" {
		return nil, "", ops.Errorf(ops.Invalid, "that is no cursor of this list").At("query.cursor")
	}
	in, size := newFilter(q.Scope), q.Page.Size()
	for _, id := range s.storesFrom(in, afterStore) {
		if id != afterStore {
			afterDevice = ""
		}
		page = s.devicesOf(page, id, afterDevice, in, only)
		if len(page) > size {
			return page[:size], page[size-1].ID, nil
		}
	}
	return page, "", nil
}

// storesFrom lists the ids of the stores that a filter lets through, from one on, in their order.
func (s *Service) storesFrom(in *filter, from string) (ids []string) {
	s.eachSite(func(_ *shard, st *site) {
		if st.count > 0 && st.ID >= from && in.store(st) {
			ids = append(ids, st.ID)
		}
	})
	slices.Sort(ids)
	return ids
}

// devicesOf adds the devices of one store that come after a name.
func (s *Service) devicesOf(page []ops.Device, store, after string, in *filter, only int) []ops.Device {
	sh := &s.shards[shardOf(store)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	i, ok := sh.index[store]
	if !ok {
		return page
	}
	begin, makes := len(page), s.makes.list()
	sh.sites[i].each(func(id uint32) {
		r := sh.rows.at(id)
		name := sh.nameOf(id)
		if name > after && (only < 0 || int(r.state) == only) && in.make(&makes[sh.cells.at(r.cell).mk]) && in.named(store, name) {
			page = append(page, s.device(sh, id))
		}
	})
	of := page[begin:]
	sort.Slice(of, func(i, j int) bool { return of[i].Device < of[j].Device })
	return page
}
