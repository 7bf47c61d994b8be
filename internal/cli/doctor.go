package cli

import (
	"fmt"
	"io"
)

type doctorCmd struct {
	Traffic string `default:"proxy" placeholder:"DRIVER" help:"What is to move the requests, as in andon server: proxy, haproxy or haproxy=FILE. (default ${default})"`
	Docker  string `placeholder:"SOCKET" help:"The container engine that is to run copies, as in andon server."`
}

// A finding is what doctor says about one thing that a plant needs.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

// Run looks at what a plant needs of this machine. It ends with 1 if something is missing.
func (cmd *doctorCmd) Run(c *call) error {
	dir, err := c.ownPlant()
	if err != nil {
		return err
	}
	moves, err := checkTraffic(c.ctx, cmd.Traffic)
	if err != nil {
		return err
	}
	engine, err := checkEngine(c, containerFlags{Docker: cmd.Docker})
	if err != nil {
		return err
	}
	findings := []finding{checkGit(c.ctx), checkBackend(c.ctx), checkShell(c.ctx)}
	findings = append(findings, checkDirectory(dir)...)
	findings = append(findings, checkPorts(c, dir)...)
	findings = append(findings, moves, engine, checkFiles(), checkLimits(dir), checkClock(c))
	problems := 0
	for _, f := range findings {
		if !f.OK {
			problems++
		}
	}
	if c.json {
		c.sayJSON(c.out, struct {
			OK       bool      `json:"ok"`
			Findings []finding `json:"findings"`
		}{problems == 0, findings})
	} else {
		writeFindings(c.out, findings, c.paint(c.out))
	}
	if problems > 0 {
		if !c.json {
			fmt.Fprintln(c.err, "andon: "+count(problems, "problem", "problems")+": a plant will not work well here until that is mended.")
		}
		return codeError(exitFailed)
	}
	return nil
}

func writeFindings(w io.Writer, findings []finding, p palette) {
	for _, f := range findings {
		mark := p.green("ok   ")
		if !f.OK {
			mark = p.red("wrong")
		}
		fmt.Fprintf(w, "%s  %-13s %s\n", mark, f.Check, printable(f.Found))
		if f.Advice != "" {
			fmt.Fprintf(w, "       %-13s %s\n", "", printable(f.Advice))
		}
	}
}
