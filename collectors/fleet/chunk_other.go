//go:build !unix

package fleet

func newChunk[T any](*shard) *[chunkLen]T { return new([chunkLen]T) }
