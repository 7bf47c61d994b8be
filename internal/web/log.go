package web

import "net/http"

// logPiece is how much of a log is read at once.
const logPiece = 256 << 10

// showLog sends a log as it is, as text, however large: never more than a piece is in memory.
func (p *pages) showLog(w http.ResponseWriter, r *http.Request) {
	stream := r.PathValue("stream")
	info, err := p.Logs.Info(stream)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for offset := int64(0); offset < info.Size; {
		piece, err := p.Logs.Read(stream, offset, logPiece)
		if err != nil || len(piece) == 0 {
			panic(http.ErrAbortHandler) // the answer has begun: cutting it says that it is incomplete
		}
		if _, err := w.Write(piece); err != nil {
			return
		}
		offset += int64(len(piece))
	}
}
