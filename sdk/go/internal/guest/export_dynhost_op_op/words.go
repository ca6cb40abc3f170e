//go:build wasip1

package export_dynhost_op_op

import "unsafe"

// The runtime writes its last words piece by piece, and every piece would be a message of the log: whole lines are put
// together here.
//
//go:linkname overrideWrite runtime.overrideWrite
var overrideWrite func(fd uintptr, pointer unsafe.Pointer, size int32) int32

//go:wasmimport wasi_snapshot_preview1 fd_write
//go:noescape
func fdWrite(fd int32, pieces unsafe.Pointer, count uint32, written unsafe.Pointer) uint32

var (
	line   [512]byte
	filled int
	// Where the line is and how long: pointers of Go have 64 bits, those of WASI 32.
	piece   [2]uint32
	ignored uint32
)

func init() { overrideWrite = write }

// write may run while the runtime is broken: it allocates nothing.
//
//go:nosplit
func write(fd uintptr, pointer unsafe.Pointer, size int32) int32 {
	for n := range size {
		c := *(*byte)(unsafe.Add(pointer, n))
		line[filled] = c
		filled++
		if c == '\n' || filled == len(line) {
			piece = [2]uint32{uint32(uintptr(unsafe.Pointer(&line))), uint32(filled)}
			fdWrite(int32(fd), unsafe.Pointer(&piece), 1, unsafe.Pointer(&ignored))
			filled = 0
		}
	}
	return size
}
