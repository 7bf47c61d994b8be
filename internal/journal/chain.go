package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Hash seals an event together with all that came before it.
type Hash [sha256.Size]byte

// MaxBody bounds the JSON of one event's body, in bytes.
const MaxBody = 16 << 20

// A Row is an event as a driver stores it. The columns are stored byte for byte, since the hash
// is over them.
type Row struct {
	Seq  andon.Seq
	Time string // RFC 3339 in UTC, with up to nine decimals
	By   string
	Name string // of the event
	Body []byte // JSON
	Hash Hash
}

// Sum returns the hash of a row that follows the event with the hash prev:
//
//	SHA-256( prev ‖ seq ‖ len(time) ‖ time ‖ len(by) ‖ by ‖ len(name) ‖ name ‖ len(body) ‖ body )
//
// prev is 32 bytes, all zero before event 1; seq is a 64-bit and each length a 32-bit big-endian
// number; the rest is the bytes of the columns as stored. The lengths make the encoding
// unambiguous: no byte can move from one column to the next.
func (r *Row) Sum(prev Hash) Hash {
	buf := make([]byte, 0, 512)
	buf = append(buf, prev[:]...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(r.Seq))
	for _, s := range [...]string{r.Time, r.By, r.Name} {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(s)))
		buf = append(buf, s...)
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(r.Body)))
	h := sha256.New()
	h.Write(buf)
	h.Write(r.Body)
	var sum Hash
	h.Sum(sum[:0])
	return sum
}

// A Chain seals and opens rows one after the other. Its zero value is at the beginning.
type Chain struct {
	Seq  andon.Seq
	Hash Hash
}

// Seal returns the row of an event that follows the chain, and moves the chain to it. The event
// comes back as it will be read: numbered, and with its time in UTC.
func (c *Chain) Seal(e andon.Event) (Row, andon.Event, error) {
	if e.Body == nil {
		return Row{}, andon.Event{}, fmt.Errorf("seal event %d: it has no body", c.Seq+1)
	}
	body, err := encode(e.Body)
	if err != nil {
		return Row{}, andon.Event{}, fmt.Errorf("seal event %d: %w", c.Seq+1, err)
	}
	if len(body) > MaxBody {
		return Row{}, andon.Event{}, andon.Errorf(andon.KindInvalid,
			"the event %s is %d bytes long, and at most %d fit into the journal", e.Body.EventName(), len(body), MaxBody)
	}
	e.Seq, e.Time = c.Seq+1, e.Time.UTC().Round(0)
	r := Row{Seq: e.Seq, Time: e.Time.Format(time.RFC3339Nano), By: string(e.By), Name: e.Body.EventName(), Body: body}
	r.Hash = r.Sum(c.Hash)
	c.Seq, c.Hash = r.Seq, r.Hash
	return r, e, nil
}

// Follow checks that a row is the next one of the chain and unchanged, and moves the chain to it.
func (c *Chain) Follow(r *Row) error {
	if r.Seq != c.Seq+1 {
		return &Damage{Seq: c.Seq + 1, What: "it is missing"}
	}
	if r.Sum(c.Hash) != r.Hash {
		return &Damage{Seq: r.Seq, What: "its hash does not match its content and what came before"}
	}
	c.Seq, c.Hash = r.Seq, r.Hash
	return nil
}

// Event decodes a row. Its content must have been checked by Chain.Follow.
func (r *Row) Event() (andon.Event, error) {
	at, err := time.Parse(time.RFC3339Nano, r.Time)
	if err != nil {
		return andon.Event{}, &Damage{Seq: r.Seq, What: "its time cannot be read", Cause: err}
	}
	body, err := andon.DecodeBody(r.Name, r.Body)
	if err != nil {
		return andon.Event{}, &Damage{Seq: r.Seq, What: "this version of andon cannot read it", Cause: err}
	}
	return andon.Event{Seq: r.Seq, Time: at.UTC(), By: andon.Actor(r.By), Body: body}, nil
}

// encode returns compact JSON without the escapes that only HTML needs.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
