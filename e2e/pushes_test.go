package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
)

// A stranger is a service that is not ours and not Go, as its repository is before andon init.
type stranger struct {
	needs string
	files files
	bad   map[string]files // by what is wrong
}

const pythonServer = `import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = "hello 0"


def price(n):
    return n * 2


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = (ANSWER + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = False


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`

const nodeServer = `const http = require("http");

const answer = "hello 0";

exports.price = (n) => n * 2;

if (require.main === module) {
  http
    .createServer((request, response) => {
      response.writeHead(200);
      response.end(answer + "\n");
    })
    .listen(process.env.PORT, "127.0.0.1");
}
`

var strangers = map[string]stranger{
	"python": {
		needs: "python3",
		files: files{
			"server.py": pythonServer,
			"test_server.py": `import unittest

import server


class TestPrice(unittest.TestCase):
    def test_price(self):
        self.assertEqual(server.price(2), 4)
`,
		},
		bad: map[string]files{
			"its test fails":          {"server.py": strings.Replace(pythonServer, "n * 2", "n * 3", 1)},
			"its smoke test fails":    {"server.py": strings.Replace(pythonServer, "send_response(200)", "send_response(500)", 1)},
			"it crashes at its start": {"server.py": strings.Replace(pythonServer, "    Server((", "    raise SystemExit(3)\n    Server((", 1)},
		},
	},
	"node": {
		needs: "node",
		files: files{
			"package.json": `{"name": "stranger", "version": "1.0.0", "private": true, "main": "server.js", "scripts": {"start": "node server.js", "test": "node test.js"}}` + "\n",
			"server.js":    nodeServer,
			"test.js":      `require("assert").strictEqual(require("./server.js").price(2), 4);` + "\n",
		},
		bad: map[string]files{
			"its test fails":          {"server.js": strings.Replace(nodeServer, "n * 2", "n * 3", 1)},
			"its smoke test fails":    {"server.js": strings.Replace(nodeServer, "writeHead(200)", "writeHead(500)", 1)},
			"it crashes at its start": {"server.js": strings.Replace(nodeServer, "  http\n", "  process.exit(3);\n  http\n", 1)},
		},
	},
}

// invalid is what is wrong with a version that git itself refuses.
const invalid = "its andon.yaml is invalid"

// twenty is what is wrong with each of twenty pushes in a row; empty: nothing is.
var twenty = []string{
	"", "", "its test fails", "", "", "its smoke test fails", "", "it crashes at its start", "its test fails", "",
	invalid, "", "", "its smoke test fails", "its smoke test fails", "", "", "it crashes at its start", "", "",
}

func TestTwentyPushes_ProductionAlwaysAnswersWithTheLastGoodVersion(t *testing.T) {
	t.Parallel()
	for name, s := range strangers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(s.needs); err != nil {
				t.Skipf("%s is not installed", s.needs)
			}
			s.pushTwenty(t)
		})
	}
}

func (s stranger) pushTwenty(t *testing.T) {
	p := startPlant(t)
	r := p.newRepository("stranger")
	r.Commit("Begin", s.files)
	execute(t, r.Dir, environmentIn(p.Home), p.Program, "init").Wants(t, done, "andon init")
	execute(t, r.Dir, environmentIn(p.Home), p.Program, "check").Wants(t, done, "andon check")
	// A smoke test, and probes that a busy machine does not fail.
	execute(t, r.Dir, environmentIn(p.Home), "sh", "-c", `printf 'smoke:\n  - http: {path: /, status: 200}\n' >> andon.yaml &&
sed -i 's/^  instances: 2.*/&\n  health: {timeout: 5s, start: 3m}/' andon.yaml && grep -q 'timeout: 5s' andon.yaml`).Wants(t, done, "editing andon.yaml")
	good := r.Ship("Take the way to production", nil)
	p.answers("stranger.localhost", "hello 0\n")
	valid := r.Git("show", "HEAD:andon.yaml") + "\n"
	l := p.newLoad("stranger.localhost", reading)
	answer := "hello 0\n"
	for i, wrong := range twenty {
		now := fmt.Sprintf("hello %d", i+1)
		change := files{"andon.yaml": valid}
		for path, text := range s.files {
			change[path] = strings.Replace(text, "hello 0", now, 1)
		}
		for path, text := range s.bad[wrong] {
			change[path] = strings.Replace(text, "hello 0", now, 1)
		}
		if wrong == invalid {
			change["andon.yaml"] = strings.Replace(valid, "commit:", "comit:", 1)
		}
		r.Commit(fmt.Sprintf("Push %d: %s", i+1, wrong), change)
		switch wrong {
		case "":
			good, answer = r.Push(), now+"\n"
			p.Wait(r.Ref(good), "live:production")
		case invalid:
			refused, _ := r.TryPush("main")
			refused.Wants(t, failed, "the push of an invalid andon.yaml").Says(t, "comit", "andon.yaml", "commit")
			r.Git("reset", "-q", "--hard", "HEAD~1")
		default:
			bad := r.Push()
			p.Wait(r.Ref(bad), "stopped")
			p.Wait(r.Ref(bad), "ended")
			p.Andon("wait", r.Ref(bad), "--for", "live:production", "--timeout", "4m").Wants(t, failed, "waiting for a version with which "+wrong)
		}
		p.answers("stranger.localhost", answer)
		if live := p.live("stranger", "production"); live != good {
			t.Fatalf("after push %d (%s), version %d is live; want %d", i+1, wrong, live, good)
		}
		want := api.Running
		if wrong != "" && wrong != invalid {
			want = api.Stopped
		}
		if line := p.status().Line; line != want {
			t.Fatalf("after push %d (%s), the line is %s; want it %s", i+1, wrong, line, want)
		}
	}
	p.idle()
	l.stop()
	l.add(int64(len(twenty))+1, int64(len(twenty))+1) // what the test itself asked
	l.intact()
	l.balances(p, "stranger", "production")
	sent, _ := l.count()
	t.Logf("%d pushes, %d requests, none failed", len(twenty), sent)
}
