package andon

import "strconv"

// TaskLogStream returns the name of the log that one attempt at a task writes: "task/ID/ATTEMPT".
func TaskLogStream(id TaskID, attempt int) string {
	return "task/" + string(id) + "/" + strconv.Itoa(attempt)
}

// InstanceLogStream returns the name of the log that a copy writes, over all its restarts: "instance/ID".
func InstanceLogStream(id InstanceID) string { return "instance/" + string(id) }
