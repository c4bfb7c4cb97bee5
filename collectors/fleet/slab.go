package fleet

// slab is a list that only grows, in chunks, so that it is never copied and has no slack; where possible outside of the
// collector's heap, since what is there counts twice in what the process may grow to. T holds no pointers, and no
// pointer to an element outlives the lock of its shard.
type slab[T any] struct {
	chunks []*[chunkLen]T
	n      uint32
}

const chunkLen = 1 << 12

func (s *slab[T]) at(i uint32) *T { return &s.chunks[i/chunkLen][i%chunkLen] }

// add puts v at the end. The memory goes when owner is no longer reached.
func (s *slab[T]) add(v T, owner *shard) uint32 {
	if s.n%chunkLen == 0 {
		s.chunks = append(s.chunks, newChunk[T](owner))
	}
	i := s.n
	s.n++
	*s.at(i) = v
	return i
}
