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
	Now time.Time
	history.Version
}

// describeVersion says which version's page is asked for.
func (p *pages) describeVersion(r *http.Request) (livePage, error) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		return livePage{}, andon.Errorf(andon.KindInvalid, "%.20q is not the number of a version.", r.PathValue("number"))
	}
	ref := andon.VersionRef{Service: andon.ServiceName(r.PathValue("service")), Number: andon.VersionNumber(number)}
	return livePage{
		path: versionPath(ref), title: ref.String(), class: "version", template: p.version,
		parts: []string{"version"}, about: aboutService(ref.Service),
		read: func(ctx context.Context) (any, error) { return p.readVersion(ctx, ref) },
	}, nil
}

func (p *pages) readVersion(ctx context.Context, ref andon.VersionRef) (page versionPage, err error) {
	page.Now = p.Engine.Now()
	page.Version, err = p.History.Version(ctx, ref)
	return page, err
}

func versionPath(v andon.VersionRef) string {
	return "/services/" + string(v.Service) + "/versions/" + v.Number.String()
}

// catchUp waits for the read models to reach a position. A history that is late is shown as it is:
// a page that follows the journal draws itself again.
func (p *pages) catchUp(ctx context.Context, position andon.Seq) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	_ = p.History.WaitFor(ctx, position)
}
