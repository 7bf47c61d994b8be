package proxy

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetStart gives back the pages of the program's file that only its start has used. The
// proxy is a small part of a large program, and the initialization of all the rest would
// otherwise stay resident. A page that is needed after all is mapped again when it is used.
//
// Only mappings that may not be written and of which no page differs from the file are touched.
func forgetStart() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return // it is about memory only: nothing depends on it
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	var from, to uint64 // of the mapping that the lines are about; zero: not one of those
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			from, to = 0, 0
			if len(fields) == 6 && fields[5] == program && fields[1][1] == '-' {
				from, to = addressRange(fields[0])
			}
		case len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0" && to > from:
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED)
		}
	}
}

func addressRange(s string) (from, to uint64) {
	a, b, _ := strings.Cut(s, "-")
	from, err1 := strconv.ParseUint(a, 16, 64)
	to, err2 := strconv.ParseUint(b, 16, 64)
	if err1 != nil || err2 != nil {
		return 0, 0
	}
	return from, to
}
