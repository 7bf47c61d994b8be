package process

import (
	"fmt"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// A Unit is what the systemd of a host runs the agent by.
type Unit struct {
	Description string   // one line
	Command     []string // argv; its program with its whole path
	// Environment is a file of NAME=VALUE lines for what no command line may show. Empty: none.
	Environment string
}

// Render returns the unit as a file of systemd's, as in systemd.service(5). It is for the
// system's own systemd: only there, the agent can keep the limits of copies.
func (u Unit) Render() (string, error) {
	if len(u.Command) == 0 || !strings.HasPrefix(u.Command[0], "/") {
		return "", andon.Errorf(andon.KindInvalid, "the program of a unit needs its whole path")
	}
	if strings.ContainsAny(u.Description+u.Environment+strings.Join(u.Command, ""), "\n\r\x00") {
		return "", andon.Errorf(andon.KindInvalid, "nothing in a unit may contain the end of a line")
	}
	words := make([]string, len(u.Command))
	for i, word := range u.Command {
		words[i] = unitWord(word)
	}
	environment := ""
	if u.Environment != "" {
		environment = "EnvironmentFile=" + strings.ReplaceAll(u.Environment, "%", "%%") + "\n"
	}
	return fmt.Sprintf(agentUnit, strings.ReplaceAll(u.Description, "%", "%%"), strings.Join(words, " "), environment), nil
}

// agentUnit is filled in with a description, a command and the line of an environment.
const agentUnit = `[Unit]
Description=%s
Wants=network-online.target
After=network-online.target
# A server that is away for long is no reason to give up.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=%s
%sRestart=always
RestartSec=1
TimeoutStopSec=60
# The proxy outlives the agent, and is adopted by the next. Copies have units of their own.
KillMode=process
# A job that is killed for want of memory is not the end of the agent.
OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=1048576
UMask=0077

[Install]
WantedBy=multi-user.target
`

// unitWord quotes a word of a command line as systemd.service(5) has it.
func unitWord(word string) string {
	word = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "%", "%%", "$", "$$").Replace(word)
	return `"` + word + `"`
}
