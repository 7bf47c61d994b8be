package runner

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// maxDepth bounds how deep test suites may lie in one another.
	maxDepth = 64
	// maxMessage and maxName bound what is kept of a failing test, in bytes: it goes into the journal.
	maxMessage = 2000
	maxName    = 500
)

// junitCase is the part of a test case that matters, in the union of the forms that Jenkins, Ant,
// Surefire and others write.
type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	File      string        `xml:"file,attr"`
	Line      string        `xml:"line,attr"`
	Failures  []junitDetail `xml:"failure"`
	Errors    []junitDetail `xml:"error"`
	Skipped   *struct{}     `xml:"skipped"`
	Status    string        `xml:"status,attr"` // GoogleTest says notrun of a disabled test, without an element
	// A test that failed first and passed when it was tried again.
	FlakyFailures []struct{} `xml:"flakyFailure"`
	FlakyErrors   []struct{} `xml:"flakyError"`
}

type junitDetail struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// readJUnit adds the test cases of a report to a summary. It counts the cases themselves, since
// the counts in the attributes of suites are wrong in many files.
func readJUnit(from io.Reader, into *andon.TestSummary) error {
	text := bufio.NewReaderSize(from, farthestTag)
	if !beginsWithTag(text) {
		return errors.New("it is not JUnit XML: it does not begin with a tag")
	}
	decoder := xml.NewDecoder(printable{text})
	decoder.CharsetReader = readCharset
	depth, root := 0, false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if !root {
				return errors.New("it is not JUnit XML: there is no testsuite")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			switch element.Name.Local {
			case "testsuites", "testsuite":
				root = true
				if depth++; depth > maxDepth {
					return fmt.Errorf("its suites lie more than %d deep", maxDepth)
				}
			case "testcase":
				if !root {
					return errors.New("it is not JUnit XML: a testcase stands outside of a testsuite")
				}
				var c junitCase
				if err := decoder.DecodeElement(&c, &element); err != nil {
					return err
				}
				c.count(into)
			default:
				if !root {
					return fmt.Errorf("it is not JUnit XML: it begins with %q", element.Name.Local)
				}
				if err := decoder.Skip(); err != nil {
					return err
				}
			}
		case xml.EndElement:
			depth--
		}
	}
}

// farthestTag is how many bytes of a report are searched for its first tag.
const farthestTag = 4 << 10

// beginsWithTag reports whether a text can be XML: it is looked at before it is read, since what is
// something else may be large.
func beginsWithTag(text *bufio.Reader) bool {
	// Fewer bytes than asked for are all that there are.
	begin, _ := text.Peek(farthestTag)
	begin = bytes.TrimLeft(bytes.TrimPrefix(begin, []byte("\ufeff")), " \t\r\n")
	return len(begin) > 0 && begin[0] == '<'
}

func (c junitCase) count(into *andon.TestSummary) {
	into.Duration += min(seconds(c.Time), math.MaxInt64-into.Duration)
	failed := append(c.Failures, c.Errors...)
	switch {
	case len(failed) > 0:
		into.Failed++
		if len(into.Failures) < andon.MaxTestFailures {
			into.Failures = append(into.Failures, c.failure(failed[0]))
		}
	case c.Skipped != nil || c.Status == "notrun":
		into.Skipped++
	default:
		into.Passed++
		if len(c.FlakyFailures)+len(c.FlakyErrors) > 0 {
			into.Flaky++
		}
	}
}

func (c junitCase) failure(detail junitDetail) andon.TestFailure {
	name := c.Name
	if c.ClassName != "" {
		name = c.ClassName + "." + c.Name
	}
	message := detail.Message
	if message == "" {
		message = strings.TrimSpace(detail.Text)
	}
	line, err := strconv.Atoi(c.Line)
	if err != nil || line < 0 {
		line = 0
	}
	return andon.TestFailure{Name: shortened(name, maxName), Message: shortened(message, maxMessage), File: shortened(c.File, maxName), Line: line}
}

// shortened returns a text of at most that many bytes, and an ellipsis when it was longer.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// seconds reads a time attribute. Real files have "NaN", "1,234.5" and nothing at all.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1e9 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// printable turns control characters into spaces. XML allows none but line breaks and tabs; many
// reports have the colours of a terminal in what a test printed all the same.
type printable struct{ from io.Reader }

func (p printable) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	for i, c := range b[:n] {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			b[i] = ' '
		}
	}
	return n, err
}

// readCharset turns what an XML file says that it is encoded in into UTF-8.
func readCharset(charset string, from io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "us-ascii", "ascii":
		return from, nil
	case "iso-8859-1", "latin1", "windows-1252":
		return &latin1{from: bufio.NewReader(from)}, nil
	default:
		return nil, fmt.Errorf("the encoding %s is not supported", charset)
	}
}

// latin1 reads ISO 8859-1 as UTF-8.
type latin1 struct {
	from *bufio.Reader
	rest []byte
}

func (l *latin1) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(l.rest) > 0 {
			copied := copy(p[n:], l.rest)
			n, l.rest = n+copied, l.rest[copied:]
			continue
		}
		b, err := l.from.ReadByte()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		l.rest = utf8.AppendRune(l.rest[:0:0], rune(b))
	}
	return n, nil
}
