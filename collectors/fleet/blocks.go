package fleet

import "math/bits"

// blocks hands out lists of a power of two of uint32, from the same memory as slabs, and takes those that have become too
// small for their site back, for others.
type blocks struct {
	chunk *[chunkLen]uint32
	used  uint32
	free  [bits.UintSize][][]uint32 // by the logarithm of their length
}

// get returns a list of n zeros; n is a power of two.
func (b *blocks) get(n uint32, owner *shard) []uint32 {
	if n > chunkLen {
		return make([]uint32, n)
	}
	size := bits.TrailingZeros32(n)
	if last := len(b.free[size]) - 1; last >= 0 {
		list := b.free[size][last]
		b.free[size] = b.free[size][:last]
		clear(list)
		return list
	}
	if b.chunk == nil || b.used+n > chunkLen {
		b.chunk, b.used = newChunk[uint32](owner), 0
	}
	b.used += n
	return b.chunk[b.used-n : b.used : b.used]
}

// put takes a list back that nobody uses any more.
func (b *blocks) put(list []uint32) {
	if n := uint32(len(list)); n > 0 && n <= chunkLen {
		size := bits.TrailingZeros32(n)
		b.free[size] = append(b.free[size], list)
	}
}
