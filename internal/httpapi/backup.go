package httpapi

import (
	"net/http"

	"github.com/andon-cd/andon/internal/andon"
)

// backup sends the whole plant as one file. When it cannot be sent to its end, the connection is
// cut, so that nobody takes a part for the whole.
func (a *API) backup(w http.ResponseWriter, r *http.Request) {
	if a.Backup == nil {
		a.fail(w, r, andon.Errorf(andon.KindUnavailable, "this server cannot be backed up over the API"))
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Disposition", `attachment; filename="andon-backup.tar.gz"`)
	if err := a.Backup(r.Context(), w); err != nil {
		if r.Context().Err() == nil {
			a.Log.Error("a backup was not written to its end", "err", err)
		}
		panic(http.ErrAbortHandler)
	}
}
