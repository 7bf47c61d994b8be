package pipeline

import (
	"slices"
	"strings"
)

// checkCycles reports every circle of jobs that wait for each other, once.
func checkCycles(jobs *node, at string, found *problems) {
	done := map[string]bool{} // visited with all that it needs
	var trail []string        // from the job begun with to the one looked at
	var visit func(job *entry)
	visit = func(job *entry) {
		trail = append(trail, job.key)
		for _, need := range needs(job.value) {
			next := jobs.entry(need.text)
			if next == nil || next.key == job.key || done[next.key] {
				continue
			}
			if i := slices.Index(trail, next.key); i >= 0 {
				circle := append(slices.Clone(trail[i:]), next.key)
				found.add(need.at, "remove one of these needs", "%s wait for each other: %s", at, strings.Join(circle, " needs "))
				continue
			}
			visit(next)
		}
		trail = trail[:len(trail)-1]
		done[job.key] = true
	}
	for i := range jobs.all() {
		if job := &jobs.entries[i]; !done[job.key] {
			visit(job)
		}
	}
}
