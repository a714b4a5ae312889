package ca_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
)

// replacing is a state folder whose root is being replaced, with one server.
type replacing struct {
	t   *testing.T
	dir string
	c   *clock
	a   *ca.Authority
	old []byte // the root that was there before
}

func begun(t *testing.T, o ca.RotateOptions) *replacing {
	t.Helper()
	r := &replacing{t: t, dir: t.TempDir(), c: &clock{t: start}}
	r.a = open(t, r.dir, r.c)
	r.old = r.a.Roots()
	r.rotate(o)
	return r
}

func (r *replacing) rotate(o ca.RotateOptions) {
	r.t.Helper()
	if _, err := ca.Rotate(r.dir, ca.Options{Now: r.c.now}, o); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replacing) pass(d time.Duration) { r.c.set(r.c.now().Add(d)) }

// step is where the rotation is, empty when it has ended.
func (r *replacing) step() ca.Step {
	turn, _, _, ok := r.a.Rotation()
	if !ok {
		return ""
	}
	return turn.Step
}

func (r *replacing) want(step ca.Step, why string) {
	r.t.Helper()
	if got := r.step(); got != step {
		r.t.Fatalf("%s: the step is %q, want %q", why, got, step)
	}
}

// report is what a server does at a tick, with the proxies that are meshed.
func (r *replacing) report(by *ca.Authority, expected []string, seen ...ca.Seen) {
	r.t.Helper()
	turn, _, _, ok := by.Rotation()
	if !ok {
		return
	}
	if err := by.Report(turn, expected, seen); err != nil {
		r.t.Fatal(err)
	}
}

func done(names ...string) []ca.Seen {
	var out []ca.Seen
	for _, n := range names {
		out = append(out, ca.Seen{Proxy: n, Done: true})
	}
	return out
}

func undone(name string) ca.Seen { return ca.Seen{Proxy: name, Reason: "it has not acknowledged"} }

// trusts tells whether who trusts only these roots accepts leaves that are issued now.
func (r *replacing) trusts(roots []byte) bool {
	r.t.Helper()
	_, certs := issue(r.t, r.a)
	return verify(r.t, roots, certs, r.c.now()) == nil
}

// The root is replaced in three steps; each waits for every proxy.
func TestRootIsReplacedStepByStep(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	mesh := []string{"shop/a-0", "shop/b-0"}
	first, _ := issue(t, r.a)
	both := r.a.Roots()
	if !bytes.HasPrefix(both, r.old) || len(chain(t, both)) != 2 {
		t.Fatal("proxies are not given both roots")
	}
	fresh := certPEMOf(t, both, 1)
	r.pass(time.Minute)
	r.report(r.a, mesh, append(done("shop/a-0"), undone("shop/b-0"))...)
	r.want(ca.StepTrust, "a proxy has not acknowledged the new root")
	if !r.trusts(r.old) || r.trusts(fresh) {
		t.Fatal("the new root issues while a proxy does not trust it")
	}
	r.report(r.a, mesh, done(mesh...)...)
	r.want(ca.StepIssue, "all trust the new root")
	if !bytes.Equal(r.a.Roots(), both) || r.trusts(r.old) || !r.trusts(fresh) {
		t.Fatal("the new root does not issue, or the old one is trusted no more while its leaves are in use")
	}
	if _, ok := r.a.Keeps(first.Version()); ok {
		t.Error("a proxy that comes back keeps a leaf of the old root")
	}
	r.pass(time.Minute)
	r.report(r.a, mesh, done("shop/a-0")...)
	r.want(ca.StepIssue, "a leaf of the old root is in use")
	r.report(r.a, mesh, done(mesh...)...)
	r.want("", "all leaves are replaced")
	if !bytes.Equal(r.a.Roots(), fresh) {
		t.Error("the old root is still trusted")
	}
	if again := open(t, r.dir, r.c); !bytes.Equal(again.Roots(), fresh) {
		t.Error("after a restart the old root is back")
	}
	if left := globNames(t, r.dir, "next-*", "rotation.json"); len(left) > 0 {
		t.Errorf("the rotation left %v behind", left)
	}
	r.rotate(ca.RotateOptions{}) // and it can be done again
	r.want(ca.StepTrust, "a second rotation")
}

// A rotation that was begun by mistake is taken back while nothing rests on the new
// root, and not later: the leaves of the new root are in use then.
func TestRotationIsTakenBack(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	other := open(t, r.dir, r.c) // another server of the folder
	r.report(r.a, []string{"shop/a-0"}, done("shop/a-0")...)
	r.rotate(ca.RotateOptions{Cancel: true})
	r.want("", "it was taken back")
	if !bytes.Equal(r.a.Roots(), r.old) || !bytes.Equal(other.Roots(), r.old) || !r.trusts(r.old) {
		t.Error("the old root is not the only one again")
	}
	if left := globNames(t, r.dir, "next-*", "rotation.json"); len(left) > 0 {
		t.Errorf("the key of the root that was thrown away stays: %v", left)
	}
	if _, err := ca.Rotate(r.dir, ca.Options{Now: r.c.now}, ca.RotateOptions{Cancel: true}); err == nil {
		t.Error("there is nothing to take back, and nobody says so")
	}
	r.rotate(ca.RotateOptions{})
	both := r.a.Roots()
	r.pass(time.Minute)
	r.report(r.a, []string{"shop/a-0"}, done("shop/a-0")...)
	r.want(ca.StepIssue, "all trust the new root")
	if _, err := ca.Rotate(r.dir, ca.Options{Now: r.c.now}, ca.RotateOptions{Cancel: true}); err == nil || !strings.Contains(err.Error(), "cannot be taken back") {
		t.Errorf("leaves of the new root are in use: %v", err)
	}
	r.want(ca.StepIssue, "nothing has changed")
	if !bytes.Equal(r.a.Roots(), both) {
		t.Error("a refused way back changed the roots")
	}
}

func certPEMOf(t *testing.T, pemBytes []byte, i int) []byte {
	t.Helper()
	const end = "-----END CERTIFICATE-----\n"
	parts := strings.SplitAfter(string(pemBytes), end)
	return []byte(parts[i])
}

func globNames(t *testing.T, dir string, patterns ...string) []string {
	t.Helper()
	var out []string
	for _, p := range patterns {
		found, err := filepath.Glob(filepath.Join(dir, "ca", p))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	return out
}

// A step never ends at once: replicas of the folder must have seen it begin.
func TestStepLastsAWhile(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	r.report(r.a, nil)
	r.want(ca.StepTrust, "it began just now")
	r.pass(5 * time.Second)
	r.report(r.a, nil)
	r.want(ca.StepIssue, "5 seconds later")
}

// A proxy that is away holds both steps up until it is back or told to be forgotten.
func TestAwayProxyHoldsTheOldRoot(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	mesh := []string{"shop/a-0", "shop/vm-1"}
	for range 3 {
		r.pass(24 * time.Hour)
		r.report(r.a, mesh, done("shop/a-0")...)
		r.want(ca.StepTrust, "shop/vm-1 is away")
	}
	d, err := ca.Show(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []ca.Wait{{Proxy: "shop/vm-1", Reason: "it is not connected"}}; !slices.Equal(d.Rotation.Waiting, want) {
		t.Errorf("show says it waits for %v", d.Rotation.Waiting)
	}
	if _, err := ca.Rotate(r.dir, ca.Options{}, ca.RotateOptions{Forget: []string{"shop/vm-l"}}); err == nil || !strings.Contains(err.Error(), "shop/vm-1") {
		t.Errorf("a mistyped name is forgotten: %v", err)
	}
	if _, err := ca.Rotate(r.dir, ca.Options{}, ca.RotateOptions{}); err == nil {
		t.Error("a second rotation began in the middle of the first")
	}
	r.rotate(ca.RotateOptions{Forget: []string{"shop/vm-1"}})
	for _, step := range []ca.Step{ca.StepIssue, ""} {
		r.report(r.a, mesh, done("shop/a-0")...)
		r.want(step, "shop/vm-1 is forgotten")
		r.pass(time.Minute)
	}
}

// With --max-wait a step goes on without who is late, and says who was.
func TestMaxWait(t *testing.T) {
	wait := time.Hour
	r := begun(t, ca.RotateOptions{MaxWait: &wait})
	mesh := []string{"shop/vm-1"}
	r.pass(wait)
	r.report(r.a, mesh)
	r.want(ca.StepTrust, "an hour")
	r.pass(time.Second)
	r.report(r.a, mesh)
	r.want(ca.StepIssue, "more than an hour")
	turn, _, _, _ := r.a.Rotation()
	if !slices.Equal(turn.Left, mesh) {
		t.Errorf("it tells of %v as left behind", turn.Left)
	}
}

// What one server saw unfinished another one cannot call finished, until the
// first has been silent for a minute; a crashed one holds nothing up for ever.
func TestServersAgreeOnAProxy(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	other := open(t, r.dir, r.c)
	if !bytes.Equal(other.Roots(), r.a.Roots()) {
		t.Fatal("two servers of one folder give out different roots")
	}
	mesh := []string{"shop/a-0"}
	r.pass(10 * time.Second)
	r.report(r.a, mesh, undone("shop/a-0"))
	r.report(other, mesh, done("shop/a-0")...)
	r.want(ca.StepTrust, "one server says that it is not finished")
	r.report(r.a, mesh, append(done("shop/a-0"), undone("shop/b at 10.0.0.9"))...)
	r.report(other, mesh)
	r.want(ca.StepTrust, "one server has a stranger who is not finished")
	r.pass(time.Minute)
	r.report(other, mesh, done("shop/a-0")...)
	r.want(ca.StepIssue, "the first server is gone, and so is the stranger that it saw")
	a, err := r.a.Issue(buyer, 0)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := other.Issue(buyer, 0); err != nil || a.Issuer != b.Issuer {
		t.Errorf("two servers issue by different roots (%v)", err)
	}
	if at, ok := other.Keeps(a.Version()); !ok {
		t.Errorf("one server does not keep the other's leaf (%s)", at)
	}
}

// A rotation may be interrupted anywhere: what a restart finds goes on from there.
func TestInterruptedRotationGoesOn(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	r.pass(time.Minute)
	r.report(r.a, nil)
	r.want(ca.StepIssue, "nobody to wait for")
	issue(t, r.a)
	fresh := certPEMOf(t, r.a.Roots(), 1)
	at := filepath.Join(r.dir, "ca")
	files := map[string][]byte{}
	for _, f := range globNames(t, r.dir, "*") {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(f)] = data
	}
	put := func(t *testing.T, name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(at, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	drop := bytes.Replace(files["rotation.json"], []byte(`"issue"`), []byte(`"drop"`), 1)
	for when, change := range map[string]func(t *testing.T){
		"in the middle of a step": func(*testing.T) {},
		"after the decision":      func(t *testing.T) { put(t, "rotation.json", drop) },
		"after the root": func(t *testing.T) {
			put(t, "rotation.json", drop)
			put(t, "root.pem", files["next-root.pem"])
		},
		"after the intermediate": func(t *testing.T) {
			put(t, "rotation.json", drop)
			put(t, "root.pem", files["next-root.pem"])
			put(t, "intermediate.pem", files["next-intermediate.pem"])
		},
		"before it cleaned up": func(t *testing.T) {
			put(t, "root.pem", files["next-root.pem"])
			put(t, "intermediate.pem", files["next-intermediate.pem"])
			put(t, "cross.pem", files["next-cross.pem"])
			if err := os.Remove(filepath.Join(at, "rotation.json")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(when, func(t *testing.T) {
			for _, f := range globNames(t, r.dir, "*") {
				_ = os.Remove(f) // .lock stays
			}
			for name, data := range files {
				put(t, name, data)
			}
			change(t)
			a := open(t, r.dir, r.c)
			_, certs := issue(t, a)
			if err := verify(t, fresh, certs, r.c.now()); err != nil {
				t.Errorf("who trusts the new root refuses what is issued: %v", err)
			}
			if _, _, _, on := a.Rotation(); on != (when == "in the middle of a step") {
				t.Errorf("a rotation is under way: %v", on)
			}
		})
	}
}

// Interrupted before it is written down, a rotation has not begun.
func TestRotationThatNeverBegan(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	if err := os.Remove(filepath.Join(r.dir, "ca", "rotation.json")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.a.Roots(), r.old) || !bytes.Equal(open(t, r.dir, r.c).Roots(), r.old) {
		t.Error("a root that was never taken on is trusted")
	}
	r.rotate(ca.RotateOptions{})
	r.want(ca.StepTrust, "begun again")
}

// Whatever a machine pins, it accepts the control plane: before, in and after a
// rotation, over real handshakes.
func TestControlPlaneIsAcceptedByOldAndNewPins(t *testing.T) {
	r := &replacing{t: t, dir: t.TempDir(), c: &clock{t: time.Now()}}
	r.a = open(t, r.dir, r.c)
	r.old = r.a.Roots()
	get := r.a.GetCertificate([]string{"localhost"})
	accepts := func(when string, pins map[string][]byte) {
		t.Helper()
		cert, err := get(nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, pin := range pins {
			if err := handshake(t, cert, pin); err != nil {
				t.Errorf("%s: a machine with %s pinned refuses the control plane: %v", when, name, err)
			}
		}
	}
	accepts("before", map[string][]byte{"the root": r.old})
	r.rotate(ca.RotateOptions{})
	both := r.a.Roots()
	pins := map[string][]byte{"the old root": r.old, "the new root": certPEMOf(t, both, 1), "both": both}
	accepts("in step trust", pins)
	for _, step := range []ca.Step{ca.StepIssue, ""} {
		r.pass(time.Minute)
		r.report(r.a, nil)
		r.want(step, "nobody to wait for")
		accepts("in step "+string(step), pins)
	}
	r.a = open(t, r.dir, r.c)
	get = r.a.GetCertificate([]string{"localhost"})
	accepts("after a restart", pins)
}

func handshake(t *testing.T, cert *tls.Certificate, pin []byte) error {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pin)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake() // the other end tells
			conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err == nil {
		conn.Close()
	}
	return err
}

// A root that ends in the middle of a rotation is waited for by nobody.
func TestRootThatEndsInTheMiddle(t *testing.T) {
	r := begun(t, ca.RotateOptions{Root: 20 * 365 * 24 * time.Hour})
	fresh := certPEMOf(t, r.a.Roots(), 1)
	r.c.set(start.Add(10*365*24*time.Hour + time.Hour))
	a := open(t, r.dir, r.c)
	_, certs := issue(t, a)
	if err := verify(t, fresh, certs, r.c.now()); err != nil || !bytes.Equal(a.Roots(), fresh) {
		t.Errorf("the mesh stands still: %v", err)
	}
}

// A folder that vanishes or cannot be read changes nothing that is trusted.
func TestFolderThatVanishes(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	both := r.a.Roots()
	if err := os.Rename(filepath.Join(r.dir, "ca"), filepath.Join(r.dir, "away")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.a.Roots(), both) || !r.trusts(r.old) || r.a.Err() == nil {
		t.Errorf("without its folder the authority trusts or issues otherwise (%v)", r.a.Err())
	}
	turn, _, _, _ := r.a.Rotation()
	if err := r.a.Report(turn, nil, nil); err == nil {
		t.Error("a step that cannot be written down is taken")
	}
}

// A decided rotation whose new root is lost is damage: the old root is kept.
func TestLostNewRoot(t *testing.T) {
	r := begun(t, ca.RotateOptions{})
	at := filepath.Join(r.dir, "ca")
	decided, err := os.ReadFile(filepath.Join(at, "rotation.json"))
	if err != nil {
		t.Fatal(err)
	}
	decided = bytes.Replace(decided, []byte(`"trust"`), []byte(`"drop"`), 1)
	if err := os.WriteFile(filepath.Join(at, "rotation.json"), decided, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(at, "next-root.pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Open(r.dir, ca.Options{Now: r.c.now}); err == nil {
		t.Error("it opened without the root that was decided on")
	}
	if _, err := os.Stat(filepath.Join(at, "root.pem")); err != nil {
		t.Errorf("the old root is lost too: %v", err)
	}
	if !bytes.HasPrefix(r.a.Roots(), r.old) || !r.trusts(r.old) {
		t.Error("a server that runs stopped to issue")
	}
}

// A cross certificate is shown while it counts, and then no more.
func TestCrossCertificateEnds(t *testing.T) {
	const year = 365 * 24 * time.Hour
	r := &replacing{t: t, dir: t.TempDir(), c: &clock{t: start}}
	r.a = open(t, r.dir, r.c)
	r.c.set(start.Add(5 * year))
	r.rotate(ca.RotateOptions{})
	for range 2 {
		r.pass(time.Minute)
		r.report(r.a, nil)
	}
	r.want("", "nobody to wait for")
	for at, want := range map[time.Time]int{start.Add(10*year - time.Hour): 3, start.Add(10*year + time.Hour): 2} {
		r.c.set(at)
		cert, err := open(t, r.dir, r.c).ServerCertificate([]string{"localhost"})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(cert.Certificate); got != want {
			t.Errorf("at %s the control plane shows %d certificates, want %d", at, got, want)
		}
	}
}
