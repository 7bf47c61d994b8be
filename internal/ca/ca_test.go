package ca

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
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
	id, err := Joined(dir, a.NewToken(agent, "https://127.0.0.1:1"), cert, a.PEM())
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
	posing := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{thief.cert.Raw, a.signer().cert.Raw}, PrivateKey: thief.key}}}
	if _, err := shake(t, id.ClientConfig(), posing); err == nil {
		t.Error("an agent takes another agent for its server")
	}
	if _, err := shake(t, PinConfig(a.NewToken("web2", "https://127.0.0.1:1")), posing); err == nil {
		t.Error("a host that joins takes an agent for the server")
	}
}

func TestPin_TakesOnlyTheAuthorityOfTheToken(t *testing.T) {
	a, _ := authority(t, time.Now)
	other, _ := authority(t, time.Now)
	token := a.NewToken("web1", "https://[fd00::1]:8600")
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
	for _, wrong := range []string{
		"", "join", "join.web1.x", "join.web1...", token.String()[:30], "agent" + token.String()[len("join"):], token.String() + strings.Repeat("x", maxToken),
		Token{Agent: "WEB", Server: token.Server, Secret: "x", Authority: token.Authority}.String(),
		Token{Agent: "web1", Server: "http://10.0.0.1:8600", Secret: "x", Authority: token.Authority}.String(),
		Token{Agent: "web1", Server: "https://u:p@10.0.0.1:8600/x", Secret: "x", Authority: token.Authority}.String(),
	} {
		if _, err := ParseToken(wrong); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("ParseToken(%q): %v", wrong, err)
		}
	}
}

func TestIdentity_RenewsInTimeAndEndsOtherwise(t *testing.T) {
	clock := time.Now()
	a, _ := authority(t, func() time.Time { return clock })
	id := join(t, a, "web1")
	id.now = func() time.Time { return clock }
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
	if err := id.Renewed(next, a.PEM()); err != nil {
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
	if err := stranger.Renewed(next, a.PEM()); err == nil {
		t.Error("it takes the certificate of another key")
	}
}

func TestAuthority_KeysAreReadableByTheirOwnerAlone(t *testing.T) {
	a, dir := authority(t, time.Now)
	id := join(t, a, "web1")
	for _, file := range []string{filepath.Join(dir, "root-1.key"), keyFile(id.dir)} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "root-1.key")); err != nil {
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

func TestAuthority_RotatesItsRootWithoutAnybodyJoiningAgain(t *testing.T) {
	clock := time.Now()
	now := func() time.Time { return clock }
	a, dir := authority(t, now)
	id := join(t, a, "web1")
	id.now = now
	first := a.Fingerprint()
	server := a.ServerConfig([]string{"plant.example"})
	signers, most := map[string]bool{}, 0
	end := clock.Add(3 * rootLife)
	for day := 0; clock.Before(end); day++ {
		clock = clock.Add(24 * time.Hour)
		if err := a.Tend(); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(a.trusted()))
		signers[a.Fingerprint()] = true
		if _, renew := id.Until(); clock.Before(renew) && day%200 != 0 {
			continue
		}
		// As after a restart of either side.
		if _, err := shake(t, id.ClientConfig(), server); err != nil {
			t.Fatalf("day %d: %v", day, err)
		}
		next, err := a.SignAgent(must(id.Renewal()), "p", "web1")
		if err != nil {
			t.Fatal(err)
		}
		if err := id.Renewed(next, a.PEM()); err != nil {
			t.Fatalf("day %d: %v", day, err)
		}
	}
	if len(signers) < 3 || !signers[first] || most != 2 {
		t.Errorf("%d roots have signed, and at most %d were trusted at a time", len(signers), most)
	}
	again, err := Open(dir, now)
	if err != nil || again.Fingerprint() != a.Fingerprint() || !bytes.Equal(again.PEM(), a.PEM()) {
		t.Errorf("after a restart the authority is another one: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 2*len(a.trusted()) {
		t.Errorf("what has ended is kept: %v", files)
	}
}

func TestAuthority_NewRootSignsOnlyOnceEveryAgentKnowsIt(t *testing.T) {
	clock := time.Now()
	a, _ := authority(t, func() time.Time { return clock })
	first := a.Fingerprint()
	clock = clock.Add(rootLife - ahead)
	if err := a.Tend(); err != nil {
		t.Fatal(err)
	}
	if len(a.trusted()) != 2 || a.Fingerprint() != first {
		t.Fatalf("%d roots are trusted; the first still signs: %v", len(a.trusted()), a.Fingerprint() == first)
	}
	clock = clock.Add(AgentLife)
	if a.Fingerprint() != first {
		t.Error("a root signs that an agent may not know yet")
	}
	clock = clock.Add(AgentLife)
	if a.Fingerprint() == first {
		t.Error("the new root never signs")
	}
}

func TestIdentity_IsOfOneTokenAndOnePlant(t *testing.T) {
	a, _ := authority(t, time.Now)
	dir := t.TempDir()
	sign := func(plant string, agent andon.AgentName) []byte {
		return must(a.SignAgent(must(Request(dir)), plant, agent))
	}
	token := a.NewToken("web1", "https://10.0.0.1:8600")
	id, err := Joined(dir, token, sign("p", "web1"), a.PEM())
	if err != nil || id.Server != token.Server || !id.JoinedWith(token) || id.JoinedWith(a.NewToken("web1", token.Server)) {
		t.Errorf("%+v, %v", id, err)
	}
	if _, err := Joined(dir, token, sign("p", "web2"), a.PEM()); andon.KindOf(err) != andon.KindRefused {
		t.Errorf("with another's certificate: %v", err)
	}
	if _, err := Joined(dir, token, sign("q", "web1"), a.PEM()); andon.KindOf(err) != andon.KindConflict {
		t.Errorf("in the directory of another plant: %v", err)
	}
	other, _ := authority(t, time.Now)
	if _, err := Joined(dir, token, sign("p", "web1"), other.PEM()); andon.KindOf(err) != andon.KindRefused {
		t.Errorf("with another authority: %v", err)
	}
}
