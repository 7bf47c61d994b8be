package pipeline

import (
	"fmt"
	"strings"
)

// write returns the file.
func (d *draft) write() []byte {
	var b strings.Builder
	b.WriteString("# How this repository gets to production. Check it with: andon check\n")
	fmt.Fprintf(&b, "service: %s\n\n", d.service)
	d.writeCommit(&b)
	if d.command != "" {
		d.writeRun(&b)
		d.writeSmoke(&b)
	} else {
		b.WriteString(runPlaceholder)
	}
	d.writeStages(&b)
	return []byte(b.String())
}

func (d *draft) writeCommit(b *strings.Builder) {
	b.WriteString("# The commit stage runs for every commit, and should take less than five minutes.\ncommit:\n  jobs:\n")
	for _, j := range d.jobs {
		fmt.Fprintf(b, "    %s: # %s\n", j.name, j.about)
		if j.env != "" {
			fmt.Fprintf(b, "      env: {%s}\n", j.env)
		}
		b.WriteString("      steps:\n")
		for _, s := range j.steps {
			fmt.Fprintf(b, "        - run: %s\n", yamlText(s))
		}
	}
	if d.artifact != "" {
		fmt.Fprintf(b, "  artifact: {path: %s} # %s\n", d.artifact, d.about)
	} else {
		b.WriteString("  # What the jobs build, kept and deployed to every environment:\n  # artifact: {path: out}\n")
	}
	b.WriteString("\n")
}

func (d *draft) writeRun(b *strings.Builder) {
	b.WriteString("# One running copy. It must listen on the port in $PORT, on 127.0.0.1.\nrun:\n")
	if d.note != "" {
		fmt.Fprintf(b, "  # %s\n", d.note)
	}
	fmt.Fprintf(b, "  command: %s\n", yamlText(d.command))
	b.WriteString("  port: 8080 # a worker that answers no requests has none\n")
	if d.env != "" {
		fmt.Fprintf(b, "  env: {%s}\n", d.env)
	}
	b.WriteString(`  # Without a path, a copy is healthy when it accepts a connection. A path is better:
  # health: {path: /healthz}
  instances: 2 # so that one can be replaced while the other answers

`)
}

func (d *draft) writeSmoke(b *strings.Builder) {
	b.WriteString("# Every new copy must pass this before it gets traffic.\n")
	if d.smoke != "" {
		fmt.Fprintf(b, "smoke:\n  - http: {path: %s, status: 200}\n\n", d.smoke)
		return
	}
	b.WriteString("# smoke:\n#   - http: {path: /, status: 200}\n\n")
}

const runPlaceholder = `# What a running copy is. It must listen on the port in $PORT, on 127.0.0.1. With it,
# and with an artifact above, the stages below can deploy.
# run:
#   command: ./server
#   port: 8080
#   health: {path: /healthz}
#   instances: 2

`

func (d *draft) writeStages(b *strings.Builder) {
	comment := ""
	b.WriteString("# After the commit stage, in order. The first failure stops the line.\nstages:\n  - name: acceptance\n")
	if d.command == "" {
		comment = "# "
	}
	fmt.Fprintf(b, "    %sdeploy: test\n", comment)
	b.WriteString(`    # Tests of the running service; its address is in $ANDON_URL:
    # jobs: {acceptance: {steps: [{run: test/acceptance.sh}]}}
    grants: release-candidate
  - name: certify
    # Remove the # of the next line to make this a manual gate: andon promote SERVICE N certify
    # approval: {}
    grants: certified
`)
	fmt.Fprintf(b, "  %s- name: production\n  %s  deploy: production\n", comment, comment)
}
