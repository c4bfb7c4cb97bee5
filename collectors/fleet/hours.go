package fleet

import (
	"time"

	"goc/ops"
)

// moment is one moment by the hours of many stores: those that keep the same are looked up once.
type moment struct {
	now   time.Time
	known map[*ops.Hours]standing
}

// standing is whether a store is open, Unix ms: since when (0 when it never closes), and when that changes (0 never).
type standing struct {
	open         bool
	opened, flip int64
}

func (m *moment) of(h *ops.Hours) standing {
	if out, ok := m.known[h]; ok {
		return out
	}
	open, since, until := h.At(m.now)
	out := standing{open: open}
	if !until.IsZero() {
		out.flip = until.UnixMilli()
	}
	if open && !since.IsZero() {
		out.opened = since.UnixMilli()
	}
	if m.known == nil {
		m.known = map[*ops.Hours]standing{}
	}
	m.known[h] = out
	return out
}

// openOrClose sets whether a store is open.
func (st *site) openOrClose(m *moment) {
	now := m.of(st.hours)
	st.isOpen, st.opened, st.flip = now.open, now.opened, now.flip
}
