package runner

import "github.com/andon-cd/andon/internal/andon"

// known refuses a task of which this agent does not know what it is, or a part of it: a server of
// a later release may send one. Passed over, it would succeed with nothing done.
func known(task andon.Task) error {
	switch task.Kind {
	case andon.TaskJob:
		for i, step := range task.Steps {
			if step.Run == "" {
				return strange("step %d of the job is of another kind", i+1)
			}
		}
	case andon.TaskSmoke:
		for i, check := range task.Checks {
			if check.HTTP == nil && check.Run == "" {
				return strange("check %d of the smoke tests is of another kind", i+1)
			}
		}
	default:
		return strange("the task is of kind %.50q", task.Kind)
	}
	return nil
}

func strange(format string, a ...any) error {
	return andon.Errorf(andon.KindInvalid, format+", which this agent does not know", a...).
		WithHint("install the server's version of andon on its host")
}
