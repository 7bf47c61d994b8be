package confine

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestParseMounts_FindsBothVersions(t *testing.T) {
	got := parseMounts(`31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 /docker/ab /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /my\040groups/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
a line of another form
`)
	want := hierarchies{
		{mount: "/sys/fs/cgroup/cpu,cpuacct", root: "/docker/ab", controllers: []string{"cpu"}},
		{mount: "/my groups/memory", root: "/", controllers: []string{"memory"}},
		{mount: "/sys/fs/cgroup/systemd", root: "/"},
		{mount: "/sys/fs/cgroup/unified", root: "/", unified: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if dir := got[0].directory("/docker/ab/andon"); dir != "/sys/fs/cgroup/cpu,cpuacct/andon" {
		t.Errorf("a group within a container is at %s", dir)
	}
}

// tree makes a directory with the files that a group of the kernel's has.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCell_SetsAndReadsVersion2(t *testing.T) {
	dir := tree(t, map[string]string{
		"memory.max": "", "memory.swap.max": "", "memory.oom.group": "", "cpu.max": "", "pids.max": "",
		"memory.events": "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n",
	})
	cell := &Cell{dirs: map[string]string{memory: dir, cpu: dir, processes: dir}}
	if err := cell.limit(andon.Limits{Memory: 64 << 20, CPU: 1500}); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1", "cpu.max": "150000 100000", "pids.max": "4096",
	} {
		if got := string(read(filepath.Join(dir, file))); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	if got := (Memory{Kills: 3, AtLimit: true}); cell.Memory() != got {
		t.Errorf("it says %+v, want %+v", cell.Memory(), got)
	}
	if got := (&Cell{dirs: map[string]string{memory: filepath.Join(dir, "gone")}}).Memory(); !got.Unknown {
		t.Errorf("a group that is gone says %+v", got)
	}
}

func TestDelegate_SaysWhyAGroupCannotHaveOthersBelow(t *testing.T) {
	// A group whose processes are in the way: a directory refuses as the kernel does.
	dir := tree(t, map[string]string{"cgroup.procs": "1\n", "cgroup.subtree_control/busy": ""})
	err := delegate(dir, []string{memory})
	if err == nil || !strings.Contains(reason(err), "is a directory") && !strings.Contains(reason(err), "no such file") {
		t.Errorf("delegate returned %v", err)
	}
}

func TestFence_LeavesMemoryToThePlant(t *testing.T) {
	for total, want := range map[int64]int64{
		256 << 20: 128 << 20,
		1 << 30:   768 << 20,
		10 << 30:  9 << 30,
		64 << 30:  62 << 30,
	} {
		if got := memoryFence(total); got != want {
			t.Errorf("of %d bytes, copies may have %d, want %d", total, got, want)
		}
	}
	if got := processFence(32768, 0, 192731); got != 24576 {
		t.Errorf("copies may have %d processes", got)
	}
	if got := memTotal("MemTotal:       24684096 kB\nMemFree: 1 kB\n"); got != 24684096<<10 {
		t.Errorf("this host has %d bytes", got)
	}
}

func TestNone_NamesWhatItCannotKeep(t *testing.T) {
	n := none{why: "only root may put processes into control groups"}
	if got := n.Lacks(andon.Limits{}); got != "" {
		t.Errorf("without limits it lacks %q", got)
	}
	want := "its limits of memory and CPU and processes: only root may put processes into control groups"
	if got := n.Lacks(andon.Limits{Memory: 1, CPU: 1, Processes: 1}); got != want {
		t.Errorf("it lacks %q, want %q", got, want)
	}
}
