package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/process"
)

// TestMain lets the test binary be the service that is deployed.
func TestMain(m *testing.M) {
	if os.Getenv("AGENT_TEST_SERVE") == "" {
		os.Exit(m.Run())
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(os.Getenv("AGENT_TEST_SERVE")); err == nil {
			http.Error(w, "sick", http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	fmt.Println("serving", os.Getenv("ANDON_INSTANCE"))
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
	os.Exit(1)
}

// serve serves a plant over HTTP as the server does.
func serve(t *testing.T, p *plantInMemory) string {
	answer := func(w http.ResponseWriter, v any, err error) {
		if e, ok := errors.AsType[*andon.Error](err); ok {
			w.WriteHeader(http.StatusConflict)
			v = map[string]any{"error": e}
		}
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Logf("answer: %v", err) // the agent has gone
		}
	}
	mux := http.NewServeMux()
	handle := func(path string, f func(r *http.Request, body []byte) (any, error)) {
		mux.HandleFunc("POST /agent/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer secret" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			v, err := f(r, body)
			answer(w, v, err)
		})
	}
	handle("hello", func(r *http.Request, body []byte) (any, error) {
		return call(body, func(h andon.Hello) (andon.Welcome, error) { return p.Hello(r.Context(), h) })
	})
	handle("work", func(r *http.Request, body []byte) (any, error) {
		return call(body, func(q andon.WorkRequest) (andon.Work, error) { return p.Work(r.Context(), q) })
	})
	handle("tasks/report", func(r *http.Request, body []byte) (any, error) {
		return call(body, func(q andon.TaskReport) (struct{}, error) { return struct{}{}, p.Report(r.Context(), q) })
	})
	handle("observe", func(r *http.Request, body []byte) (any, error) {
		return call(body, func(o andon.Observation) (struct{}, error) { return struct{}{}, p.Observe(r.Context(), o) })
	})
	handle("counters", func(r *http.Request, body []byte) (any, error) {
		return call(body, func(c andon.Counters) (struct{}, error) { return struct{}{}, p.Count(r.Context(), c) })
	})
	handle("logs/{stream...}", func(r *http.Request, body []byte) (any, error) {
		offset, err := strconv.ParseInt(r.FormValue("offset"), 10, 64)
		if err != nil {
			return nil, andon.Errorf(andon.KindInvalid, "no offset")
		}
		next, err := p.AppendLog(r.Context(), r.PathValue("stream"), offset, body)
		return map[string]int64{"next": next}, err
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func call[Q, A any](body []byte, f func(Q) (A, error)) (any, error) {
	var q Q
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, andon.Errorf(andon.KindInvalid, "%v", err)
	}
	return f(q)
}

// A site is a real host: processes, and a server over HTTP.
type site struct {
	*world
	address string
	driver  *process.Driver
}

// begin starts an agent over the site, and returns what ends it.
func (s *site) begin(token string) (stop func() error) {
	s.t.Helper()
	driver, err := process.Open(process.Config{
		Dir: filepath.Join(s.dir, "copies"),
		Artifacts: func(context.Context, andon.ServiceName, andon.Digest) (string, error) {
			return s.dir, nil
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.driver = driver
	plant, err := Dial(s.address, token, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := New(Config{
		Name: "local", Slots: 1, Dir: filepath.Join(s.dir, "agent"), Plant: plant,
		Platforms: map[string]platform.Platform{andon.PlatformProcess: driver}, Traffic: s.traffic, Runner: s.runner,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	ended := false
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return errors.Join(<-done, driver.Close())
	}
	s.t.Cleanup(func() { _ = stop() })
	return stop
}

// patience is how long a test waits for what must happen, also on a machine that is busy.
const patience = 2 * time.Minute

// await waits for what nothing tells of.
func (s *site) await(what string, holds func() bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("not in time: %s; the server was told %+v and of the route %+v", what, s.plant.observed(), s.plant.route())
		}
	}
}

// pid asks a copy for its process.
func (s *site) pid(id andon.InstanceID) int {
	resp, err := http.Get("http://" + s.plant.observed()[id].Address + "/pid")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(body))
	if err != nil {
		return 0
	}
	return pid
}

func (s *site) routed(ids string) func() bool {
	return func() bool {
		var got []string
		for _, id := range s.plant.route().Targets {
			got = append(got, string(id))
		}
		return strings.Join(got, " ") == ids
	}
}

func TestIntegration_RealProcessesOverHTTP(t *testing.T) {
	s := &site{world: newWorld(t)}
	s.address = serve(t, s.plant)
	s.runner.script = func(_ context.Context, l andon.Lease, at runner.Surroundings) andon.TaskResult {
		fmt.Fprintf(at.Log, "testing %s\n", at.CopyURL)
		return andon.TaskResult{Outcome: andon.Succeeded}
	}
	sickness := filepath.Join(s.dir, "sick")
	copies := []andon.Copy{copyOf("g", 0, os.Args[0]), copyOf("g", 1, os.Args[0])}
	for i := range copies {
		// A copy that is slow because the machine is busy is not ended for it.
		copies[i].Spec.Health = andon.Health{Path: "/healthz", Interval: 100 * time.Millisecond, Timeout: patience, Start: patience}
		copies[i].Spec.Env = map[string]string{"AGENT_TEST_SERVE": fmt.Sprintf("%s-%d", sickness, i)}
	}
	stop := s.begin("secret")
	d := desired(1, copies, "g.0", "g.1")
	s.plant.set(nil, d)
	s.await("both copies have traffic", s.routed("g.0 g.1"))

	// A copy is killed: it leaves and comes back.
	first := s.pid("g.0")
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.await("the killed copy was restarted", func() bool {
		c := s.plant.observed()["g.0"]
		return c.Restarts == 1 && c.Phase == andon.PhaseHealthy && s.pid("g.0") != first && s.routed("g.0 g.1")()
	})
	// A copy becomes sick, and well.
	if err := os.WriteFile(sickness+"-1", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.await("the sick copy left traffic", s.routed("g.0"))
	if err := os.Remove(sickness + "-1"); err != nil {
		t.Fatal(err)
	}
	s.await("the copy came back", s.routed("g.0 g.1"))

	smoke := lease(9, "smoke")
	smoke.Task.Instance = "g.0"
	s.plant.set([]andon.Lease{smoke}, d)
	s.await("the smoke test was reported", func() bool { return len(s.plant.reported()) == 1 })
	if got, want := s.plant.log(smoke.LogStream()), "testing http://"+s.plant.observed()["g.0"].Address+"\n"; got != want {
		t.Errorf("the log of the task is %q, want %q", got, want)
	}

	// The agent ends, the copies do not, and the next one adopts them.
	before := s.pid("g.1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if now := s.pid("g.1"); now != before {
		t.Fatalf("without its agent, the copy is process %d, was %d", now, before)
	}
	s.begin("secret")
	s.await("the new agent has told of both copies and of their traffic", func() bool {
		said := s.plant.saidSoFar()
		return said[len(said)-1].Epoch == 2 && len(s.plant.observed()) == 2 && s.routed("g.0 g.1")()
	})
	if now := s.pid("g.1"); now != before {
		t.Errorf("the new agent has process %d, want %d", now, before)
	}
	s.plant.set(nil, desired(2, nil))
	s.await("both copies are gone", func() bool {
		c := s.plant.observed()
		return c["g.0"].Phase == andon.PhaseStopped && c["g.1"].Phase == andon.PhaseStopped
	})
	if err := syscall.Kill(before, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process of a stopped copy: %v", err)
	}
	if got := s.plant.log("instance/g.1"); got != "serving g.1\n" {
		t.Errorf("the log of the copy is %q", got)
	}
}

func TestDial_SaysWhatIsWrong(t *testing.T) {
	if _, err := Dial("127.0.0.1:8600", "secret", nil); andon.KindOf(err) != andon.KindInvalid {
		t.Errorf("an address without a scheme gives %v", err)
	}
	p := newPlantInMemory()
	address := serve(t, p)
	stranger, err := Dial(address, "wrong", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Hello(t.Context(), andon.Hello{Agent: "local"}); andon.KindOf(err) != andon.KindSignIn {
		t.Errorf("a wrong token gives %v", err)
	}
	agent, err := Dial(address+"/", "secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Observe(t.Context(), andon.Observation{Epoch: 5}); !gone(err) || !strings.Contains(err.Error(), "not known") {
		t.Errorf("an unknown epoch gives %v", err)
	}
	nobody, err := Dial("http://127.0.0.1:1", "secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nobody.Hello(t.Context(), andon.Hello{}); andon.KindOf(err) != andon.KindUnreachable {
		t.Errorf("a port where nobody listens gives %v", err)
	}
}
