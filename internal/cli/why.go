package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

type whyCmd struct {
	About string `arg:"" optional:"" name:"what" help:"shop, shop@42, a deployment (shop.production.7) or a cord (cord-3); everything if left out."`
}

// Run says what holds what back.
func (cmd *whyCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	question := questionAbout(cmd.About)
	answer, err := client.Why(c.ctx, question)
	if err != nil {
		return c.known(client, question.Service, err)
	}
	if c.json {
		c.sayJSON(c.out, answer)
		return nil
	}
	writeWhy(c.out, answer, time.Now(), c.paint(c.out))
	return nil
}

// questionAbout reads what people ask about: nothing (everything), a cord, a deployment, or a
// service with perhaps a version.
func questionAbout(about string) api.WhyQuestion {
	if cordForm.MatchString(about) {
		return api.WhyQuestion{Cord: about}
	}
	if deploymentForm.MatchString(about) {
		return api.WhyQuestion{Deployment: about}
	}
	service, version := splitVersion(about)
	return api.WhyQuestion{Service: service, Version: version}
}

func writeWhy(w io.Writer, answer api.Why, now time.Time, p palette) {
	sentence := strings.TrimSuffix(printable(answer.Sentence), ".") + "."
	switch word, _, _ := strings.Cut(sentence, " "); word {
	case "the", "nothing", "stage", "job", "deployment": // a service keeps its lower-case name
		sentence = capital(sentence)
	}
	if answer.Moves {
		fmt.Fprintln(w, p.green(sentence))
	} else {
		fmt.Fprintln(w, p.bold(sentence))
	}
	for _, wait := range answer.Waits {
		writeWait(w, wait, "  ", "", now, p)
	}
	for _, cord := range answer.Cords {
		if strings.Contains(answer.Sentence, cord.Reason) {
			cord.Reason = "" // it has been said
		}
		writeCord(w, cord, now, p)
	}
}

// writeWait writes a wait after a link to what it explains, if any, and, further in, what holds back
// that which it waits for.
func writeWait(w io.Writer, wait api.Wait, indent, link string, now time.Time, p palette) {
	text := strings.TrimSuffix(printable(wait.Reason), ".") + ", " + since(wait.Since, now)
	if who := waitsWhat(wait); who != "" {
		text = who + ": " + text
	}
	if wait.Until != nil {
		text += ", until " + clock(*wait.Until, now) + " at the latest"
	}
	fmt.Fprintf(w, "%s%s%s\n", indent, link, text)
	if wait.Action != "" {
		fmt.Fprintf(w, "%s  %s\n", indent, p.faint("→ "+wait.Action))
	}
	for _, deeper := range wait.Because {
		writeWait(w, deeper, indent+"  ", "because ", now, p)
	}
}

// waitsWhat names what waits.
func waitsWhat(w api.Wait) string {
	var parts []string
	if w.Service != "" && w.Version > 0 {
		parts = append(parts, fmt.Sprintf("%s %d", w.Service, w.Version))
	} else if w.Service != "" {
		parts = append(parts, w.Service)
	}
	if w.Stage != "" {
		parts = append(parts, w.Stage)
	}
	if w.Deployment != "" {
		parts = append(parts, w.Deployment)
	}
	return strings.Join(parts, ", ")
}
