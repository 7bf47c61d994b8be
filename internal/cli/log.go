package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/form"
)

type logCmd struct {
	Version string `arg:"" name:"version" help:"shop (its newest version), shop@42, a deployment (shop.production.7), or the name of one log."`
	Env     string `placeholder:"ENVIRONMENT" aliases:"environment" help:"The running copies of the service there, and not its jobs."`
	Stage   string `placeholder:"STAGE" help:"Only this stage."`
	Job     string `placeholder:"JOB" help:"Only this job."`
	Follow  bool   `short:"f" help:"Go on until the version has ended; with --env, until interrupted."`
	Lines   int    `short:"n" default:"1000" placeholder:"N" help:"How many lines of each log at the most: the last ones. (default ${default})"`
}

// A logSource is one log with what to call it.
type logSource struct {
	log     string
	label   string // "commit/test", "shop.production.7.0"
	attempt int
}

// Run prints the output of jobs or of running copies.
func (cmd *logCmd) Run(c *call) error {
	if cmd.Env != "" && (cmd.Stage != "" || cmd.Job != "") {
		return usage("--env is about running copies, --stage and --job are about jobs", "Leave one of them out.")
	}
	if cmd.named() && (cmd.Env != "" || cmd.Stage != "" || cmd.Job != "") {
		return usage("--env, --stage and --job are about a service or a version", "Leave them out for "+cmd.Version+".")
	}
	if cmd.Lines < 1 {
		return usage("--lines must be at least 1", "Leave it out for the last 1000.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	find := cmd.finder(c, client)
	if cmd.Follow {
		return c.followLogs(client, find, cmd.Lines)
	}
	sources, _, err := find()
	if err != nil {
		return err
	}
	return cmd.print(c, client, sources)
}

// named reports whether the command names a deployment or a log.
func (cmd *logCmd) named() bool {
	return strings.Contains(cmd.Version, "/") || deploymentForm.MatchString(cmd.Version)
}

// A finder returns the logs there are now, and whether there will be no others.
type finder func() (sources []logSource, complete bool, err error)

func (cmd *logCmd) finder(c *call, client *api.Client) finder {
	service, version := splitVersion(cmd.Version)
	switch {
	case strings.Contains(cmd.Version, "/"):
		return func() ([]logSource, bool, error) {
			return []logSource{{log: cmd.Version, label: cmd.Version}}, true, nil
		}
	case deploymentForm.MatchString(cmd.Version):
		return func() ([]logSource, bool, error) {
			d, err := client.Deployment(c.ctx, cmd.Version)
			return deploymentLogs(d), d.Ended != nil, err
		}
	case cmd.Env != "":
		return func() ([]logSource, bool, error) {
			s, err := client.Service(c.ctx, service)
			if err != nil {
				return nil, false, c.known(client, service, err)
			}
			sources, err := copyLogs(s, cmd.Env)
			return sources, false, err
		}
	default:
		return func() ([]logSource, bool, error) {
			v, err := client.Version(c.ctx, service, version)
			if err != nil {
				return nil, false, c.known(client, service, err)
			}
			version = fmt.Sprint(v.Number) // the newest one now, not later
			if err := cmd.isIn(v); err != nil {
				return nil, false, err
			}
			return jobLogs(v, cmd.Stage, cmd.Job), v.Ended != nil, nil
		}
	}
}

// copyLogs returns the logs of the copies of a service in an environment.
func copyLogs(s api.ServiceDetail, environment string) ([]logSource, error) {
	var known []string
	for _, place := range s.Places {
		known = append(known, place.Environment)
		if place.Environment != environment {
			continue
		}
		var sources []logSource
		for _, copy := range place.CopyList {
			sources = append(sources, logSource{log: copy.Log, label: copy.ID})
		}
		return sources, nil
	}
	e := &api.Error{Kind: api.KindNotFound, Message: fmt.Sprintf("nothing of %s runs in %s", s.Name, environment), Hint: "See `andon status " + s.Name + "`."}
	if near := form.Nearest(environment, known); near != "" && near != environment {
		e.Hint = "Did you mean " + near + "?"
	}
	return nil, e
}

// deploymentLogs returns the logs of the copies that a deployment brought up, and of their smoke tests.
func deploymentLogs(d api.DeploymentDetail) []logSource {
	var sources []logSource
	for _, copy := range d.Copies {
		sources = append(sources, logSource{log: copy.Log, label: copy.ID})
	}
	for _, task := range d.Tasks {
		for _, a := range task.Attempts {
			sources = append(sources, logSource{log: a.Log, label: task.Instance + "/" + string(task.Kind), attempt: a.Number})
		}
	}
	return sources
}

// isIn returns an error if the flags name a stage or a job that the version will never have.
func (cmd *logCmd) isIn(v api.VersionDetail) error {
	if v.Pipeline == nil {
		return nil
	}
	var stages, jobs []string
	for _, stage := range v.Pipeline.Stages {
		stages = append(stages, stage.Name)
		if cmd.Stage == "" || cmd.Stage == stage.Name {
			for _, job := range stage.Jobs {
				jobs = append(jobs, job.Name)
			}
		}
	}
	if cmd.Stage != "" && !slices.Contains(stages, cmd.Stage) {
		return noSuch(fmt.Sprintf("%s %d has no stage %s", v.Service, v.Number, cmd.Stage), cmd.Stage, "stages", stages)
	}
	if cmd.Job != "" && !slices.Contains(jobs, cmd.Job) {
		return noSuch(fmt.Sprintf("%s %d has no job %s", v.Service, v.Number, cmd.Job), cmd.Job, "jobs", jobs)
	}
	return nil
}

// noSuch says that nothing has the name, with the one that was probably meant or all that there are.
func noSuch(message, name, plural string, known []string) error {
	e := &api.Error{Kind: api.KindNotFound, Message: message}
	if near := form.Nearest(name, known); near != "" {
		e.Hint = "Did you mean " + near + "?"
	} else if len(known) > 0 {
		e.Hint = "Its " + plural + " are " + strings.Join(known, ", ") + "."
	}
	return e
}

// jobLogs returns the logs of a version's jobs and smoke tests, in the order in which they began.
func jobLogs(v api.VersionDetail, stage, job string) []logSource {
	var sources []logSource
	for _, run := range v.Stages {
		if stage != "" && run.Stage != stage {
			continue
		}
		for _, task := range run.Tasks {
			if job != "" && task.Job != job {
				continue
			}
			for _, a := range task.Attempts {
				sources = append(sources, logSource{log: a.Log, label: run.Stage + "/" + first(task.Job, string(task.Kind)), attempt: a.Number})
			}
		}
	}
	return sources
}

// print prints the end of each log: as it is when there is one, under a heading when there are
// several.
func (cmd *logCmd) print(c *call, client *api.Client, sources []logSource) error {
	answer := struct {
		Logs []api.Lines `json:"logs"`
	}{[]api.Lines{}}
	if len(sources) == 0 && !c.json {
		fmt.Fprintln(c.err, "No log yet.")
	}
	for i, source := range sources {
		lines, err := lastLines(c.ctx, client, source.log, cmd.Lines)
		if err != nil {
			return err
		}
		if c.json {
			answer.Logs = append(answer.Logs, lines)
			continue
		}
		if len(sources) > 1 {
			if i > 0 {
				fmt.Fprintln(c.out)
			}
			fmt.Fprintln(c.out, c.paint(c.out).bold("== "+source.title()))
		}
		for _, line := range lines.Lines {
			fmt.Fprintln(c.out, line.Text)
		}
	}
	if c.json {
		c.sayJSON(c.out, answer)
	}
	return nil
}

// mostLines is how many lines the plant gives at once.
const mostLines = 10_000

// lastLines returns the last n lines of a log.
func lastLines(ctx context.Context, client *api.Client, log string, n int) (api.Lines, error) {
	all, err := client.LogLines(ctx, log, int64(-n), min(n, mostLines))
	for err == nil && len(all.Lines) < n && all.Next <= all.Total {
		var more api.Lines
		more, err = client.LogLines(ctx, log, all.Next, min(n-len(all.Lines), mostLines))
		if len(more.Lines) == 0 {
			break
		}
		all.Lines, all.Next = append(all.Lines, more.Lines...), more.Next
	}
	return all, err
}

func (s logSource) title() string {
	if s.attempt > 1 {
		return fmt.Sprintf("%s, attempt %d", s.label, s.attempt)
	}
	return s.label
}
