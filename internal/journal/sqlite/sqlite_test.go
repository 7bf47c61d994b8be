package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/journaltest"
	"github.com/andon-cd/andon/internal/journal/sqlite"
)

var _ journal.Journal = (*sqlite.Journal)(nil)

func TestConformance(t *testing.T) {
	journaltest.Run(t, func(ctx context.Context, dir string) (journal.Journal, error) {
		return sqlite.Open(ctx, filepath.Join(dir, "journal.db"))
	})
}
