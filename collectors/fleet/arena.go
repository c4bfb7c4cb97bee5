package fleet

import "unsafe"

// arena keeps the names of devices, one after another: a byte that says how long, then the name. What is in it is never
// changed or moved, so a string may point into it.
type arena struct {
	chunks []*[arenaChunk]byte
	used   uint32 // of the last chunk
}

const arenaChunk = 1 << 14

// add keeps a name of at most MaxName bytes and returns where it is.
func (a *arena) add(name string) uint32 {
	need := uint32(len(name)) + 1
	if len(a.chunks) == 0 || a.used+need > arenaChunk {
		a.chunks, a.used = append(a.chunks, new([arenaChunk]byte)), 0
	}
	at := uint32(len(a.chunks)-1)*arenaChunk + a.used
	c := a.chunks[len(a.chunks)-1]
	c[a.used] = byte(len(name))
	copy(c[a.used+1:], name)
	a.used += need
	return at
}

// at returns the name kept at a place, without a copy.
func (a *arena) at(place uint32) string {
	c := a.chunks[place/arenaChunk]
	from := place % arenaChunk
	n := uint32(c[from])
	if n == 0 {
		return ""
	}
	return unsafe.String(&c[from+1], n)
}
