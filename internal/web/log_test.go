package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const jobLog = "task/shop.1.commit.build.1/1"

// write appends to a log at a time of the plant.
func (s *site) write(stream, text string, at time.Time) {
	s.t.Helper()
	offset := int64(0)
	if info, err := s.logs.Info(stream); err == nil {
		offset = info.Size
	}
	next, err := s.logs.Append(stream, offset, []byte(text), at)
	s.must(err)
	if next != offset+int64(len(text)) {
		s.t.Fatalf("the log %s goes on at %d", stream, next)
	}
}

var rowPattern = regexp.MustCompile(`id="L(\d+)"`)

// rows returns the numbers of the lines that a page shows.
func rows(page string) (numbers []string) {
	for _, m := range rowPattern.FindAllStringSubmatch(page, -1) {
		numbers = append(numbers, m[1])
	}
	return numbers
}

func wants(t *testing.T, path, body string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(body, part) {
			t.Errorf("%s lacks %q:\n%s", path, part, body)
		}
	}
}

func TestLogPage_ShowsAWindowAboutALine(t *testing.T) {
	s := newSite(t)
	s.signIn()
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "this is line %d\n", i+1)
	}
	s.write(jobLog, text.String(), s.plant.Now())
	for path, want := range map[string]struct {
		first, last string
		parts       []string
	}{
		"?line=5000":      {"4940", "5139", []string{`<div class="row marked" id="L5000">`, "Earlier lines", "Later lines", "this is line 5000<", "10,000</span> lines"}},
		"?line=5000-5002": {"4940", "5139", []string{`marked" id="L5000"`, `marked" id="L5002"`}},
		"?line=1":         {"1", "200", []string{"Later lines"}},
		"":                {"9801", "10000", []string{"Earlier lines", `data-begin="end"`, "being written"}},
		"?line=99999":     {"9801", "10000", nil},
	} {
		path = "/logs/" + jobLog + path
		body := s.page(path, http.StatusOK)
		wants(t, path, body, want.parts...)
		s.harmless(path, body)
		if got := rows(body); len(got) != 200 || got[0] != want.first || got[199] != want.last {
			t.Errorf("%s shows %v", path, got)
		}
	}
	for path, want := range map[string][2]string{"?from=201&count=3": {"201", "203"}, "?before=201&count=3": {"198", "200"}, "?line=300": {"240", "439"}} {
		body := s.page("/logs/rows/"+jobLog+path, http.StatusOK)
		if got := rows(body); len(got) == 0 || got[0] != want[0] || got[len(got)-1] != want[1] || strings.Contains(body, "<html") {
			t.Errorf("%s shows %v", path, got)
		}
	}
	if got := rows(s.page("/logs/rows/"+jobLog+"?from=10001", http.StatusOK)); len(got) != 0 {
		t.Errorf("behind the end are %v", got)
	}
	for path, status := range map[string]int{
		"/logs/" + jobLog + "?line=x": 400, "/logs/" + jobLog + "?line=0": 400, "/logs/" + jobLog + "?times=local": 400,
		"/logs/" + jobLog + "?toggle=-1": 400, "/logs/rows/" + jobLog + "?from=0": 400, "/logs/rows/task/none/1": 404,
		"/logs/raw/task/none/1": 404, "/logs/search/task/none/1?q=x": 404, "/logs/live/task/none/1": 404, "/logs/raw/" + jobLog + "?line=10001": 404,
		"/logs/live/" + jobLog + "?from=x": 400, "/logs/search/" + jobLog + "?q=x&after=y": 400,
	} {
		s.harmless(path, s.page(path, status))
	}
}

func TestLogPage_TellsOfItsJob(t *testing.T) {
	s := newSite(t)
	s.hostileStory()
	s.signIn()
	s.write(jobLog, "hello\n", s.plant.Now())
	body := s.page("/logs/"+jobLog, http.StatusOK)
	wants(t, jobLog, body, "shop 1 commit / build", `href="/services/shop/versions/1"`, "succeeded", `data-ended="true"`)
	// A job and a copy that wrote nothing have a page, too.
	wants(t, "no log", s.page("/logs/task/shop.2.commit.build.1/1", http.StatusOK), "Nothing was written yet")
	wants(t, "copy", s.page("/logs/instance/shop.production.1.0", http.StatusOK), "a copy of shop 1 in production", `href="/services/shop/deployments/shop.production.1"`)
}

func TestLogPage_IsTextWhateverIsInIt(t *testing.T) {
	s := newSite(t)
	s.signIn()
	lines := []string{
		hostile, "::group::" + hostile, "\x1b[31m" + hostile + "\x1b[0m", "\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\",
		"10%\r\x1b[Kdone", "\xff\xfe\x00bad", "\x1b[38;2;\"><script>m", "::endgroup::", "\x1b[1;4;32mok\x1b[m", "##[step] " + hostile, "\u202eevil",
	}
	s.write(jobLog, strings.Join(lines, "\n"), s.plant.Now())
	for _, path := range []string{
		"/logs/" + jobLog, "/logs/" + jobLog + "?toggle=2&times=utc", "/logs/" + jobLog + "?q=script", "/logs/rows/" + jobLog + "?line=3&times=since",
		"/logs/search/" + jobLog + "?q=%3Cscript%3E&re=1", "/logs/" + jobLog + "?q=%22%3E%3Cscript%3E(&re=1",
	} {
		body := s.page(path, http.StatusOK)
		s.harmless(path, body)
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src") || strings.ContainsAny(body, "\x1b\x00\r") || strings.Contains(body, "style=") {
			t.Errorf("%s lets a log be part of the page:\n%s", path, body)
		}
	}
	body := s.page("/logs/"+jobLog+"?line=3", http.StatusOK)
	wants(t, "?line=3", body, `<span class="f1">&#34;&gt;&lt;script&gt;`, ">done<", `<span class="f2 bold underline">ok</span>`, `aria-expanded="true"`, "\uFFFD\uFFFDbad")
}

func TestLogPage_FoldsGroupsAndCarriesColors(t *testing.T) {
	s := newSite(t)
	s.signIn()
	at := s.plant.Now()
	s.write(jobLog, "##[step] make\n\x1b[31m::group::build\n", at)
	s.write(jobLog, "::group::build\n", at.Add(time.Second))
	s.write(jobLog, "in the group\nstill red\n", at.Add(2*time.Second))
	s.write(jobLog, "::endgroup::\nbehind\n##[step] test\nok\n", at.Add(4500*time.Millisecond))
	s.must(s.logs.Finish(jobLog, at))
	for query, want := range map[string][]string{
		"":                     {"1", "2", "3", "7", "8", "9"},
		"?line=4":              {"1", "2", "3", "4", "5", "6", "7", "8", "9"},
		"?toggle=1":            {"1", "8", "9"},
		"?toggle=3":            {"1", "2", "3", "4", "5", "6", "7", "8", "9"},
		"?line=5-5&toggle=1,8": {"1", "2", "3", "4", "5", "6", "7", "8"},
	} {
		body := s.page("/logs/"+jobLog+query, http.StatusOK)
		if got := rows(body); !slices.Equal(got, want) {
			t.Errorf("%q shows %v, want %v", query, got, want)
		}
		if strings.Contains(query, "line") {
			wants(t, query, body, `<span class="f1">still red</span>`)
		}
	}
	body := s.page("/logs/"+jobLog+"?times=since", http.StatusOK)
	wants(t, "times", body, "▸ build</a>", "3 lines, 3 s", "▾ make</a>", ">&#43;0:04.5</time>")
	wants(t, "colors", s.page("/logs/rows/"+jobLog+"?from=9&count=1", http.StatusOK), `<span class="f1">ok</span>`)
}

func TestLogPage_CutsLongLinesAndGivesThemRaw(t *testing.T) {
	s := newSite(t)
	s.signIn()
	long := strings.Repeat("x", 700_000) + "end"
	s.write(jobLog, "first\n"+long+"\nlast\n", s.plant.Now())
	path := "/logs/" + jobLog + "?line=2"
	body := s.page(path, http.StatusOK)
	wants(t, path, body, `<a class="cut" href="/logs/raw/`+jobLog+`?line=2">`)
	if len(body) > 20_000 {
		t.Errorf("the page has %d bytes", len(body))
	}
	answer, body := s.do(http.MethodGet, "/logs/raw/"+jobLog+"?line=2", nil)
	if h := answer.Header; body != long || h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("line 2 has %d bytes, header %v", len(body), h)
	}
	_, body = s.do(http.MethodGet, "/logs/raw/"+jobLog+"?line=3", nil)
	if body != "last" {
		t.Errorf("line 3 is %q", body)
	}
}

func TestLogRaw_IsAFileWithRanges(t *testing.T) {
	s := newSite(t)
	s.signIn()
	content := "<script>alert(1)</script>\n" + strings.Repeat("a line of the log\n", 40_000)
	s.write(jobLog, content, s.plant.Now())
	path := "/logs/raw/" + jobLog
	answer, body := s.do(http.MethodGet, path, nil)
	if h := answer.Header; body != content || h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Content-Disposition") != `attachment; filename=task-shop.1.commit.build.1-1.log` || h.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%d bytes, want %d; header %v", len(body), len(content), h)
	}
	answer, body = s.do(http.MethodGet, path, nil, "Range", "bytes=1-6")
	if answer.StatusCode != http.StatusPartialContent || body != content[1:7] {
		t.Errorf("a range: %s %q", answer.Status, body)
	}
	answer, _ = s.do(http.MethodGet, path, nil, "Range", "bytes=99999999-")
	if answer.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a range behind the end: %s", answer.Status)
	}
	s.must(s.logs.Finish(jobLog, s.plant.Now()))
	answer, _ = s.do(http.MethodHead, path, nil)
	tag := answer.Header.Get("Etag")
	if tag == "" || answer.ContentLength != int64(len(content)) {
		t.Errorf("the head: %v", answer.Header)
	}
	if answer, _ = s.do(http.MethodGet, path, nil, "If-None-Match", tag); answer.StatusCode != http.StatusNotModified {
		t.Errorf("what the browser has: %s", answer.Status)
	}
}

func TestLogSearch_FindsOnTheServerAndGoesOn(t *testing.T) {
	s := newSite(t)
	s.signIn()
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "line %d \x1b[31mError\x1b[0m %s<b>\n", i+1, strings.Repeat("pad ", 10))
	}
	s.write(jobLog, text.String()+strings.Repeat("y", 300)+"Needle"+strings.Repeat("z", 900)+"\n", s.plant.Now())
	body := s.page("/logs/search/"+jobLog+"?q=error", http.StatusOK)
	wants(t, "search", body, "100 lines found", `data-next="101"`, `href="?after=101&amp;q=error"`, "<mark>Error</mark>", `href="?after=1&amp;line=100&amp;q=error#L100"`, "&lt;b&gt;")
	wants(t, "more", s.page("/logs/search/"+jobLog+"?q=error&after=901", http.StatusOK), "100 lines found from line 901 on", `data-next="1001"`)
	wants(t, "case", s.page("/logs/search/"+jobLog+"?q=error&case=1", http.StatusOK), "0 lines found", `data-next="0"`)
	wants(t, "cut", s.page("/logs/search/"+jobLog+"?q=ne+dle%7Cneedle&re=1", http.StatusOK), "1 line found", "y<mark>Needle</mark>z", " …</code>")
	wants(t, "wrong", s.page("/logs/"+jobLog+"?q=(&re=1", http.StatusOK), "is not a regular expression", `value="("`)
	// The page has it beside the lines, for those without a script.
	wants(t, "page", s.page("/logs/"+jobLog+"?q=line+500&line=500", http.StatusOK), "1 line found", `marked" id="L500"`, `name="q" value="line 500"`)
}

// A listener reads the events of a followed log.
type listener struct {
	t      *testing.T
	body   io.ReadCloser
	reader *bufio.Reader
	stop   context.CancelFunc
}

func (s *site) listen(query string, header ...string) *listener {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server.URL+"/logs/live/"+jobLog+query, nil)
	s.must(err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := s.client.Do(r)
	s.must(err)
	if answer.StatusCode != http.StatusOK {
		s.t.Fatal(answer.Status)
	}
	l := &listener{s.t, answer.Body, bufio.NewReader(answer.Body), cancel}
	s.t.Cleanup(l.close)
	return l
}

func (l *listener) close() {
	l.stop()
	_ = l.body.Close()
}

// A tail is what an event tells.
type tail struct {
	event, id         string
	From, Next, Total int64
	HTML              string
}

func (l *listener) next() (t tail) {
	l.t.Helper()
	for {
		line, err := l.reader.ReadString('\n')
		if err != nil {
			l.t.Fatalf("the stream ended: %v", err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			t.id = value
		case "event":
			t.event = value
		case "data":
			if err := json.Unmarshal([]byte(value), &t); err != nil {
				l.t.Fatal(err)
			}
		case "":
			if t.event != "" {
				return t
			}
		}
	}
}

func TestLogLive_FollowsTheEndAndResumes(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.write(jobLog, "one\ntwo\npart", s.plant.Now())
	l := s.listen("?from=2")
	if got := l.next(); got.From != 2 || got.Next != 3 || got.Total != 3 || got.id != "3" || !slices.Equal(rows(got.HTML), []string{"2", "3"}) {
		t.Fatalf("what is there: %+v", got)
	}
	s.write(jobLog, "ial\nfour\n", s.plant.Now())
	got := l.next()
	if got.From != 3 || got.Next != 5 || !slices.Equal(rows(got.HTML), []string{"3", "4"}) || !strings.Contains(got.HTML, ">partial<") {
		t.Fatalf("a line that was completed: %+v", got)
	}
	l.close()
	s.write(jobLog, "five\n", s.plant.Now())
	l = s.listen("?from=2", "Last-Event-ID", got.id)
	if got = l.next(); !slices.Equal(rows(got.HTML), []string{"5"}) || got.Next != 6 {
		t.Fatalf("after the connection was lost: %+v", got)
	}
	s.write(jobLog, strings.Repeat("many\n", 5000), s.plant.Now())
	for got.Total < 5005 {
		got = l.next()
	}
	if len(rows(got.HTML)) > 200 || got.Next != 5006 {
		t.Fatalf("%d rows at once, next %d", len(rows(got.HTML)), got.Next)
	}
	s.must(s.logs.Finish(jobLog, s.plant.Now()))
	for got.event != "end" {
		got = l.next()
	}
}

func TestLogLive_KeepsOpenWhatIsBeingRead(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.write(jobLog, "::group::a\nin it\n", s.plant.Now())
	l := s.listen("?from=1")
	if got := l.next(); !slices.Equal(rows(got.HTML), []string{"1", "2"}) {
		t.Fatalf("a group that goes on is folded: %+v", got)
	}
	s.write(jobLog, "still in it\n::endgroup::\n::group::b\nunseen\n::endgroup::\nout\n", s.plant.Now())
	if got := l.next(); !slices.Equal(rows(got.HTML), []string{"3", "4", "5", "8"}) || !strings.Contains(got.HTML, `data-toggle="1"`) {
		t.Fatalf("%v: %+v", rows(got.HTML), got)
	}
}
