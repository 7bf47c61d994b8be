package ca

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func authority(t *testing.T, now func() time.Time) (*Authority, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

// join makes an agent a member of the plant p.
func join(t *testing.T, a *Authority, agent andon.AgentName) *Identity {
	t.Helper()
	dir := t.TempDir()
	request, err := Request(dir)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.SignAgent(request, "p", agent)
	if err != nil {
		t.Fatal(err)
	}
	id, err := Joined(dir, "https://127.0.0.1:1", a.NewToken(agent), cert, a.PEM())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// shake lets a client and a server shake hands, and returns what the server knows of the client.
func shake(t *testing.T, client, server *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type end struct {
		state tls.ConnectionState
		err   error
	}
	ended := make(chan end, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			ended <- end{err: err}
			return
		}
		defer conn.Close()
		s := tls.Server(conn, server)
		err = s.Handshake()
		ended <- end{s.ConnectionState(), err}
		_, _ = s.Read(make([]byte, 1)) // until the client has closed
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	e := <-ended
	conn.Close()
	return e.state, e.err
}

func TestIdentity_IsKnownToTheServerAndKnowsIt(t *testing.T) {
	a, dir := authority(t, time.Now)
	id := join(t, a, "web1")
	// The authority is the same after a restart.
	again, err := Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	state, err := shake(t, id.ClientConfig(), again.ServerConfig([]string{"plant.example"}))
	if err != nil {
		t.Fatal(err)
	}
	plant, agent, ok := AgentOf(state.VerifiedChains[0][0])
	if !ok || plant != "p" || agent != "web1" {
		t.Errorf("the server takes it for %s of %s, %v", agent, plant, ok)
	}
	if key, err := Requested(must(id.Renewal())); err != nil || key != KeyOf(state.VerifiedChains[0][0]) {
		t.Errorf("the renewal is for the key %s, %v", key, err)
	}
	other, _ := authority(t, time.Now)
	if _, err := shake(t, id.ClientConfig(), other.ServerConfig([]string{"plant.example"})); err == nil {
		t.Error("it talks to a server of another authority")
	}
	if _, err := shake(t, join(t, other, "web1").ClientConfig(), a.ServerConfig(nil)); err == nil {
		t.Error("the server talks to an agent of another authority")
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestIdentity_AgentCannotPoseAsTheServer(t *testing.T) {
	a, _ := authority(t, time.Now)
	id, thief := join(t, a, "web1"), join(t, a, "thief")
	posing := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{thief.cert.Raw, a.cert.Raw}, PrivateKey: thief.key}}}
	if _, err := shake(t, id.ClientConfig(), posing); err == nil {
		t.Error("an agent takes another agent for its server")
	}
	if _, err := shake(t, PinConfig(a.NewToken("web2")), posing); err == nil {
		t.Error("a host that joins takes an agent for the server")
	}
}

func TestPin_TakesOnlyTheAuthorityOfTheToken(t *testing.T) {
	a, _ := authority(t, time.Now)
	other, _ := authority(t, time.Now)
	token := a.NewToken("web1")
	back, err := ParseToken(" " + token.String() + "\n")
	if err != nil || back != token {
		t.Fatalf("the token comes back as %+v, %v", back, err)
	}
	if _, err := shake(t, PinConfig(token), a.ServerConfig([]string{"10.0.0.1"})); err != nil {
		t.Errorf("it does not take its own plant: %v", err)
	}
	if _, err := shake(t, PinConfig(token), other.ServerConfig([]string{"10.0.0.1"})); andon.KindOf(err) != andon.KindRefused {
		t.Errorf("it takes another plant: %v", err)
	}
	for _, wrong := range []string{"", "join", "join.web1.x", "join.WEB.x." + token.Authority, "agent.web1.x." + token.Authority, "join.web1..", token.String()[:30]} {
		if _, err := ParseToken(wrong); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("ParseToken(%q): %v", wrong, err)
		}
	}
}

func TestIdentity_RenewsInTimeAndEndsOtherwise(t *testing.T) {
	clock := time.Now()
	a, _ := authority(t, func() time.Time { return clock })
	id := join(t, a, "web1")
	ends, renew := id.Until()
	if left := ends.Sub(renew); left < AgentLife/4 || left > AgentLife/2 {
		t.Errorf("it renews %s before the end", left)
	}
	clock = ends.Add(time.Hour)
	if _, err := shake(t, id.ClientConfig(), a.ServerConfig(nil)); err == nil {
		t.Error("a certificate that has ended is taken")
	}
	clock = renew
	next, err := a.SignAgent(must(id.Renewal()), "p", "web1")
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Renewed(next); err != nil {
		t.Fatal(err)
	}
	clock = ends.Add(time.Hour)
	again, err := LoadIdentity(id.dir)
	if err != nil {
		t.Fatal(err)
	}
	again.now = func() time.Time { return clock }
	if _, err := shake(t, again.ClientConfig(), a.ServerConfig(nil)); err != nil {
		t.Errorf("the renewed certificate is not taken: %v", err)
	}
	stranger := join(t, a, "web2")
	if err := stranger.Renewed(next); err == nil {
		t.Error("it takes the certificate of another key")
	}
}

func TestAuthority_KeysAreReadableByTheirOwnerAlone(t *testing.T) {
	a, dir := authority(t, time.Now)
	id := join(t, a, "web1")
	for _, file := range []string{filepath.Join(dir, "ca.key"), keyFile(id.dir)} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, time.Now); andon.KindOf(err) != andon.KindUnavailable {
		t.Errorf("without its key: %v", err)
	}
}

func TestAuthority_RefusesWhatIsNoRequest(t *testing.T) {
	a, _ := authority(t, time.Now)
	for _, wrong := range [][]byte{nil, []byte("x"), a.PEM(), make([]byte, maxRequest+1)} {
		if _, err := a.SignAgent(wrong, "p", "web1"); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("%.20q: %v", wrong, err)
		}
	}
}
