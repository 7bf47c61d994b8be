package cli

import (
	"fmt"
	"io"
	"os"
)

// readAtMost reads a file, or in for "-", and fails if it has more than limit bytes.
func readAtMost(in io.Reader, path string, limit int64) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return data, err
}
