// Command greedy is a service that takes, in production, all that it can get of one thing: its
// first argument says of what. It is for a host that keeps it within limits.
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if os.Getenv("ANDON_ENVIRONMENT") == "production" {
		switch os.Args[1] {
		case "memory": // before it is healthy
			takeMemory()
		case "crash":
			fmt.Fprintln(os.Stderr, "greedy: it ends at once")
			os.Exit(7)
		case "processes":
			go takeProcesses()
		case "log":
			go takeLog()
		case "disk":
			go takeDisk()
		case "ports":
			takePorts()
		}
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "greedy") })
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil); err != nil {
		fmt.Fprintln(os.Stderr, "greedy:", err)
		os.Exit(1)
	}
}

// takeMemory ends with this process, at 2 GiB should nobody else end it.
func takeMemory() {
	var all [][]byte
	for range 256 {
		all = append(all, bytes.Repeat([]byte{1}, 8<<20))
	}
	fmt.Println("greedy: nobody minds that it has", len(all)*8, "MiB")
	os.Exit(8)
}

// takeProcesses never has more than a thousand.
func takeProcesses() {
	for range 1000 {
		for exec.Command("sleep", "600").Start() != nil {
			time.Sleep(20 * time.Millisecond) // there is no place for one more
		}
	}
}

// takeLog writes 40 MB in a second: many times what services log, and less than the disk takes,
// which could be full before anybody looks.
func takeLog() {
	lines := bytes.Repeat([]byte("all of the disk is for this log\n"), 1<<15)
	for range 1 << 12 { // 4 GiB
		_, _ = os.Stdout.Write(lines)
		time.Sleep(25 * time.Millisecond)
	}
}

// takeDisk writes 40 MB in a second into its TMPDIR, and 5 MB when little room is left: from one who
// fills a disk within a moment, nobody can keep the others. It goes on when the disk is full.
func takeDisk() {
	const little = 80 << 20
	chunk := make([]byte, 1<<20)
	for i := range 1000 {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(os.Getenv("TMPDIR"), &disk); err == nil && int64(disk.Bavail)*disk.Bsize < little {
			time.Sleep(175 * time.Millisecond)
		}
		if err := os.WriteFile(filepath.Join(os.Getenv("TMPDIR"), strconv.Itoa(i)), chunk, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, "greedy:", err)
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// takePorts listens on a good part of the ports that copies are given, but for its own.
func takePorts() {
	taken := 0
	for port := 20_000; port < 24_000; port++ {
		if strconv.Itoa(port) == os.Getenv("PORT") {
			continue
		}
		if _, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			taken++
		}
	}
	fmt.Println("greedy: it has", taken, "ports")
}
