package logs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/andon-cd/andon/internal/logs"
)

func TestWait_WakesForBytesAndForTheEnd(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{})
	type answer struct {
		info logs.Info
		err  error
	}
	wait := func(ctx context.Context, after int64) <-chan answer {
		c := make(chan answer, 1)
		go func() {
			i, err := s.Wait(ctx, name, after)
			c <- answer{i, err}
		}()
		return c
	}
	first := wait(t.Context(), 0) // before there is a log at all
	appendAll(t, s, name, 0, "x")
	if a := <-first; a.err != nil || a.info.Size != 1 {
		t.Fatalf("%+v", a)
	}
	if a := <-wait(t.Context(), 0); a.err != nil || a.info.Size != 1 {
		t.Fatalf("what is there already: %+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := wait(ctx, 1)
	cancel()
	if a := <-gone; !errors.Is(a.err, context.Canceled) {
		t.Fatalf("%+v", a)
	}
	end := wait(t.Context(), 1)
	if err := s.Finish(name, when); err != nil {
		t.Fatal(err)
	}
	if a := <-end; a.err != nil || !a.info.Finished {
		t.Fatalf("%+v", a)
	}
}

func TestWait_FollowersSeeEveryByteInOrder(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{Open: 1})
	want := bytes.Repeat([]byte("0123456789abcde\n"), 5000)
	done := make(chan error, 3)
	for range 3 {
		go func() {
			var got []byte
			for {
				i, err := s.Wait(t.Context(), name, int64(len(got)))
				if err != nil {
					done <- err
					return
				}
				p, err := s.Read(name, int64(len(got)), 0)
				if err != nil {
					done <- err
					return
				}
				if got = append(got, p...); i.Finished && len(p) == 0 {
					if !bytes.Equal(got, want) {
						err = fmt.Errorf("a follower saw %d bytes, or others", len(got))
					}
					done <- err
					return
				}
			}
		}()
	}
	for offset := int64(0); offset < int64(len(want)); {
		appendAll(t, s, "task/other/1", 0, "o") // takes the only open place
		offset = appendAll(t, s, name, offset, string(want[offset:min(int64(len(want)), offset+777)]))
	}
	if err := s.Finish(name, when); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestClose_EndsWaiting(t *testing.T) {
	t.Parallel()
	s, err := logs.Open(t.TempDir(), logs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := make(chan error, 1)
	go func() {
		_, err := s.Wait(t.Context(), name, 0)
		c <- err
	}()
	appendAll(t, s, "task/other/1", 0, "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-c; err == nil {
		t.Fatal("waiting ended without an error")
	}
}
