package changes

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"goc/ops"
)

// rings settles which stores each ring of a change reaches that is given as a share: "a tenth of the stores of 上海" names
// them from here on. The same change always gets the same stores, another version gets others, so that no store is always
// the first. Rings are nested: what the rings before reached counts, and a ring names only what it adds. It does not write
// to the stages that it is given. at is their place in the input.
func rings(c *ops.Change, p *places, at string) ([]ops.Stage, error) {
	if !slices.ContainsFunc(c.Stages, func(s ops.Stage) bool { return s.Share > 0 }) {
		return c.Stages, nil
	}
	stages, reached := slices.Clone(c.Stages), map[string]bool{}
	seed := fmt.Sprintf("%s\x00%s\x00%s\x00%s", c.Kind, c.Service, c.Version, c.Title)
	for i := range stages {
		st := &stages[i]
		s := c.Scope
		if !place(st.Scope).Empty() {
			s = st.Scope
		}
		pool := p.storesIn(place(s))
		if st.Share > 0 {
			added, err := ring(seed, pool, reached, st.Share)
			if err != nil {
				return nil, ops.Errorf(ops.Invalid, "%w", err).At(fmt.Sprintf("%s.stages[%d].share", at, i)).
					WithHint("give the ring a larger share or a wider scope, or leave it out")
			}
			st.Scope.Store, pool = added, added
		} else if place(st.Scope).Empty() {
			continue // the rest, whichever that is
		}
		for _, id := range pool {
			reached[id] = true
		}
	}
	return stages, nil
}

// ring is the stores that a ring adds to those reached, so that a share of the pool is.
func ring(seed string, pool []string, reached map[string]bool, share float64) ([]string, error) {
	if len(pool) == 0 {
		return nil, fmt.Errorf("the catalog knows no store there")
	}
	fresh := slices.DeleteFunc(slices.Clone(pool), func(id string) bool { return reached[id] })
	want := int(math.Ceil(share*float64(len(pool))-1e-9)) - (len(pool) - len(fresh))
	if want < 1 {
		return nil, fmt.Errorf("%s of %d stores are no more than the rings before it reach", percent(share), len(pool))
	}
	if want > ops.MaxScopeValues {
		return nil, fmt.Errorf("%d stores are more than the %d that a ring may name", want, ops.MaxScopeValues)
	}
	type lot struct {
		id    string
		order uint64
	}
	lots := make([]lot, len(fresh))
	for i, id := range fresh {
		sum := sha256.Sum256([]byte(seed + "\x00" + id))
		lots[i] = lot{id, binary.BigEndian.Uint64(sum[:])}
	}
	slices.SortFunc(lots, func(a, b lot) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.id, b.id)) })
	out := make([]string, want)
	for i := range out {
		out[i] = lots[i].id
	}
	slices.Sort(out)
	return out, nil
}
