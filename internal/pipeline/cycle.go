package pipeline

import (
	"github.com/andon-cd/andon/internal/form"
	"slices"
	"strings"
)

// checkCycles reports every circle of jobs that wait for each other, once.
func checkCycles(jobs *form.Node, at string, found *form.Problems) {
	done := map[string]bool{} // visited with all that it needs
	var trail []string        // from the job begun with to the one looked at
	var visit func(job *form.Entry)
	visit = func(job *form.Entry) {
		trail = append(trail, job.Key)
		for _, need := range needs(job.Value) {
			next := jobs.Entry(need.Text)
			if next == nil || next.Key == job.Key || done[next.Key] {
				continue
			}
			if i := slices.Index(trail, next.Key); i >= 0 {
				circle := append(slices.Clone(trail[i:]), next.Key)
				found.Add(need.At, "remove one of these needs", "%s wait for each other: %s", at, strings.Join(circle, " needs "))
				continue
			}
			visit(next)
		}
		trail = trail[:len(trail)-1]
		done[job.Key] = true
	}
	for i := range jobs.All() {
		if job := &jobs.Entries[i]; !done[job.Key] {
			visit(job)
		}
	}
}
