// Copy is the program of the copies that the tests run: the only file of their image.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "forever":
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("up")
	case "exit":
		os.Exit(number(2))
	case "print":
		fmt.Print(os.Args[2])
	case "count": // to a number, on both outputs, each second line to the other; with bytes that are no text
		for i := range number(2) {
			out := os.Stdout
			if i%2 == 1 {
				out = os.Stderr
			}
			fmt.Fprintf(out, "line %d \xff\x00 %s\n", i, strings.Repeat("x", number(3)))
		}
	case "tick":
		for i := 0; ; i++ {
			fmt.Println("tick", i)
			time.Sleep(5 * time.Millisecond)
		}
	case "show":
		show()
	case "eat":
		eat(number(2))
	case "breed":
		breed(number(2))
	case "serve":
		serve(os.Args[2])
	}
	select {
	case <-time.After(time.Hour):
	}
}

func number(arg int) int {
	n, err := strconv.Atoi(os.Args[arg])
	if err != nil {
		panic(err)
	}
	return n
}

// show tells what the copy sees and may do.
func show() {
	dir, _ := os.Getwd()
	fmt.Println("cwd", dir)
	for _, e := range os.Environ() {
		fmt.Println("env", e)
	}
	fmt.Println("user", os.Getuid(), os.Getgid())
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.SplitSeq(string(status), "\n") {
		if strings.HasPrefix(line, "Cap") || strings.HasPrefix(line, "NoNewPrivs") {
			fmt.Println(strings.Join(strings.Fields(line), " "))
		}
	}
	for _, path := range []string{"/file", "/tmp/file"} {
		err := os.WriteFile(path, []byte("x"), 0o600)
		fmt.Println("write", path, err)
	}
	fmt.Println("shown")
}

// eat takes memory until it is killed.
func eat(bytes int) {
	var held [][]byte
	for taken := 0; taken < bytes; taken += 1 << 20 {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = 1
		}
		held = append(held, block)
	}
	fmt.Println("ate", len(held))
}

// breed starts processes until one cannot be started.
func breed(n int) {
	for i := range n {
		cmd := exec.Command("/proc/self/exe", "forever")
		if err := cmd.Start(); err != nil {
			fmt.Println("bred", i < n-1)
			return
		}
	}
	fmt.Println("bred all")
}

func serve(host string) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, os.Getenv("PORT")))
	if err != nil {
		panic(err)
	}
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getenv("GREETING")) })))
}
