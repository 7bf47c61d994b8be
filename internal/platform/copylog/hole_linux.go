package copylog

import (
	"os"

	"golang.org/x/sys/unix"
)

// punchHole frees the disk blocks of the first n bytes of a file, whose size stays.
func punchHole(f *os.File, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, n)
}

// firstData returns the position of the first byte of a file that is not in a hole.
func firstData(f *os.File) int64 {
	pos, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	if err != nil {
		return 0 // an empty file, or a file system without holes
	}
	return pos
}
