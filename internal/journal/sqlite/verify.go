package sqlite

import (
	"context"
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
)

// Verify implements journal.Journal.
func (j *Journal) Verify(ctx context.Context, report func(journal.Progress)) error {
	return classify(j.path, j.verify(ctx, report))
}

func (j *Journal) verify(ctx context.Context, report func(journal.Progress)) error {
	version, err := checkFormat(ctx, j.db, j.path)
	if err != nil {
		return unreadable(1, err)
	}
	if version == 0 {
		return andon.Errorf(andon.KindInvalid, "%s is empty: it is not a journal", j.path)
	}
	if j.w == nil {
		// Nobody moves this one's head: check what the file says now.
		if j.head, err = j.storedHead(ctx); err != nil {
			return err
		}
	}
	head := j.chain()
	var chain journal.Chain
	for chain.Seq < head.Seq {
		if _, err := j.readPage(ctx, &chain, min(page, int(head.Seq-chain.Seq))); err != nil {
			return err
		}
		if report != nil {
			report(journal.Progress{Verified: chain.Seq, Head: head.Seq})
		}
	}
	if err := j.checkEnd(ctx, chain, head); err != nil {
		return err
	}
	if report != nil {
		report(journal.Progress{Verified: chain.Seq, Head: head.Seq})
	}
	return nil
}

// checkTail reads the stored head and checks the last events up to it.
func (j *Journal) checkTail(ctx context.Context) error {
	head, err := j.storedHead(ctx)
	if err != nil {
		return err
	}
	j.head = head
	chain, err := j.chainAt(ctx, max(0, head.Seq-tail))
	if err != nil {
		return err
	}
	for chain.Seq < head.Seq {
		if _, err := j.readPage(ctx, &chain, page); err != nil {
			return err
		}
	}
	return j.checkEnd(ctx, chain, head)
}

// checkEnd compares the end of the chain with the stored head.
func (j *Journal) checkEnd(ctx context.Context, chain, head journal.Chain) error {
	if chain.Hash != head.Hash {
		return &journal.Damage{Seq: head.Seq, What: "it is not the event that was appended last"}
	}
	if j.w == nil {
		return nil // a server may be appending beside this
	}
	var last andon.Seq
	if err := j.db.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM event`).Scan((*int64)(&last)); err != nil {
		return fmt.Errorf("read the last event: %w", unreadable(head.Seq, err))
	}
	if last > j.chain().Seq {
		return &journal.Damage{Seq: head.Seq + 1, What: "it was not appended by andon"}
	}
	return nil
}

func (j *Journal) storedHead(ctx context.Context) (journal.Chain, error) {
	var (
		head journal.Chain
		hash []byte
	)
	if err := j.db.QueryRowContext(ctx, `SELECT seq, hash FROM head`).Scan((*int64)(&head.Seq), &hash); err != nil {
		return journal.Chain{}, fmt.Errorf("read the head: %w", unreadable(1, err))
	}
	copy(head.Hash[:], hash)
	return head, nil
}
