package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

// historyTimeout bounds how long a page waits for the read models to reach what it shows.
const historyTimeout = 2 * time.Second

// versionPage is one version with everything that happened to it.
type versionPage struct {
	Position andon.Seq
	Now      time.Time
	history.Version
}

func (p *pages) showVersion(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		p.fail(w, r, andon.Errorf(andon.KindInvalid, "%.20q is not the number of a version.", r.PathValue("number")))
		return
	}
	head := p.Engine.Head()
	p.catchUp(r.Context(), head)
	ref := andon.VersionRef{Service: andon.ServiceName(r.PathValue("service")), Number: andon.VersionNumber(number)}
	version, err := p.History.Version(r.Context(), ref)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	name := "frame"
	if r.URL.Query().Get("part") == "version" {
		name = "version"
	}
	p.render(w, r, p.version, name, versionPage{Position: head, Now: p.Engine.Now(), Version: version})
}

// catchUp waits for the read models to reach a position. A history that is late is shown as it is:
// a page that follows the journal draws itself again.
func (p *pages) catchUp(ctx context.Context, position andon.Seq) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	_ = p.History.WaitFor(ctx, position)
}
