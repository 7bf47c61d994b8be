package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// logPiece is how much of a log is in memory at a time while it is sent.
	logPiece = 256 << 10
	// pieceLimit is how long a browser may take to receive one piece.
	pieceLimit = 30 * time.Second
)

// sendRaw sends a log as it is, to be saved: all of it, the range of bytes that is asked for, or
// one line to be looked at. What is appended meanwhile is not part of it.
func (p *pages) sendRaw(w http.ResponseWriter, r *http.Request) {
	stream := r.PathValue("stream")
	info, err := p.Logs.Info(stream)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	content := &logReader{pages: p, stream: stream, size: info.Size, control: http.NewResponseController(w)}
	if text := r.URL.Query().Get("line"); text != "" {
		p.sendLine(w, r, content, text)
		return
	}
	name := strings.ReplaceAll(stream, "/", "-") + ".log"
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	w.Header().Set("Cache-Control", "no-cache")
	if info.Finished {
		w.Header().Set("Etag", strconv.Quote(strconv.FormatInt(info.Size, 10)))
	}
	http.ServeContent(w, r, "", info.Modified, content)
}

// sendLine sends one line, however long it is.
func (p *pages) sendLine(w http.ResponseWriter, r *http.Request, content *logReader, text string) {
	number, err := lineNumber(text)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	l, err := p.Logs.Window(content.stream, number, 1, 1)
	if err == nil && len(l.Lines) == 0 {
		err = andon.Errorf(andon.KindNotFound, "The log %s has %d lines.", content.stream, l.Info.Lines)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	content.offset = l.Lines[0].Offset
	piece := make([]byte, logPiece)
	for {
		n, err := content.Read(piece)
		line, _, ended := bytes.Cut(piece[:n], []byte{'\n'})
		if _, err := w.Write(line); err != nil || ended {
			return
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the answer has begun: cutting it says that it is incomplete
		}
	}
}

// A logReader reads a log up to the size that it had. It implements io.ReadSeeker.
type logReader struct {
	pages   *pages
	stream  string
	offset  int64
	size    int64
	control *http.ResponseController // of the answer that it is read for
}

// Read implements io.Reader.
func (l *logReader) Read(p []byte) (int, error) {
	if l.offset >= l.size {
		return 0, io.EOF
	}
	// Not every writer can be given a deadline; one that cannot is a test's.
	_ = l.control.SetWriteDeadline(time.Now().Add(pieceLimit))
	n, err := l.pages.Logs.ReadAt(l.stream, p[:min(int64(len(p)), l.size-l.offset)], l.offset)
	l.offset += int64(n)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Seek implements io.Seeker.
func (l *logReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += l.offset
	case io.SeekEnd:
		offset += l.size
	}
	if offset < 0 {
		return 0, errors.New("web: a log has no bytes before its first")
	}
	l.offset = offset
	return offset, nil
}
