//go:build unix

package fleet

import (
	"runtime"
	"syscall"
	"unsafe"
)

// newChunk maps memory, and unmaps it when its shard is no longer reached.
func newChunk[T any](owner *shard) *[chunkLen]T {
	mem, err := syscall.Mmap(-1, 0, int(unsafe.Sizeof([chunkLen]T{})), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil { // too many mappings: the heap will do
		return new([chunkLen]T)
	}
	runtime.AddCleanup(owner, func(mem []byte) { syscall.Munmap(mem) }, mem)
	return (*[chunkLen]T)(unsafe.Pointer(&mem[0]))
}
