package ca_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
)

// place is where replicas share: a Secret of a cluster, as far as it matters here.
type place struct {
	t     *testing.T
	c     *clock
	files ca.Files
	down  error
	all   []*replica
}

type replica struct {
	*ca.Authority
	dir string
}

// join opens a replica on an empty folder: the first one makes the authority.
func (p *place) join() *replica {
	p.t.Helper()
	r := &replica{dir: p.t.TempDir()}
	if p.files != nil {
		if err := p.files.Place(r.dir); err != nil {
			p.t.Fatal(err)
		}
	}
	var err error
	r.Authority, err = ca.Open(r.dir, ca.Options{Now: p.c.now, Publish: func(f ca.Files) error {
		if p.down == nil {
			p.files = f
		}
		return p.down
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	if p.files == nil {
		if p.files, err = ca.Collect(r.dir, false); err != nil {
			p.t.Fatal(err)
		}
		p.spread()
	}
	p.all = append(p.all, r)
	return r
}

// spread is the watch: every replica gets what is shared.
func (p *place) spread() {
	p.t.Helper()
	for _, r := range p.all {
		if err := p.files.Place(r.dir); err != nil {
			p.t.Fatal(err)
		}
	}
}

// rotate is `meshc ca rotate` by somebody who has no folder.
func (p *place) rotate() {
	p.t.Helper()
	dir := p.t.TempDir()
	if err := p.files.Place(dir); err != nil {
		p.t.Fatal(err)
	}
	if _, err := ca.Rotate(dir, ca.Options{Now: p.c.now}, ca.RotateOptions{}); err != nil {
		p.t.Fatal(err)
	}
	var err error
	if p.files, err = ca.Collect(dir, true); err != nil {
		p.t.Fatal(err)
	}
	p.spread()
}

func (p *place) step(r *replica) ca.Step {
	turn, _, _, ok := r.Rotation()
	if !ok {
		return ""
	}
	return turn.Step
}

// Replicas issue by one root, each by an intermediate of its own, and what one issued
// another leaves alone: else every reconnect of a proxy would make it a new leaf.
func TestReplicasAreOneAuthority(t *testing.T) {
	p := &place{t: t, c: &clock{t: start}}
	a, b := p.join(), p.join()
	if string(a.Roots()) != string(b.Roots()) {
		t.Fatal("two replicas, two roots")
	}
	leaf, certs := issue(t, a.Authority)
	if err := verify(t, b.Roots(), certs, start); err != nil {
		t.Error(err)
	}
	if _, ok := b.Keeps(leaf.Version()); !ok {
		t.Error("one replica throws away what the other issued")
	}
	p.spread()
	p.c.set(start.Add(1079 * time.Hour)) // intermediates renew, and nobody is asked
	p.down = errors.New("away")
	for _, r := range p.all {
		_, certs := issue(t, r.Authority)
		if err := verify(t, a.Roots(), certs, p.c.now()); err != nil {
			t.Error(err)
		}
	}
	_, before := issue(t, a.Authority)
	p.spread()
	if _, after := issue(t, a.Authority); !after[1].Equal(before[1]) {
		t.Error("what is shared took a replica's renewed intermediate away")
	}
}

// A rotation that somebody begins goes through all replicas, and at no time does one
// issue what the other's proxies do not trust.
func TestARotationGoesThroughAllReplicas(t *testing.T) {
	p := &place{t: t, c: &clock{t: start}}
	a, b := p.join(), p.join()
	old := a.Roots()
	p.rotate()
	expected := []string{"shop/a", "shop/b"}
	tick := func(r *replica, seen ...ca.Seen) {
		turn, _, _, ok := r.Rotation()
		if !ok {
			return
		}
		if err := r.Report(turn, expected, seen); err != nil {
			t.Fatal(err)
		}
		p.spread()
	}
	check := func(step ca.Step) {
		t.Helper()
		for _, r := range p.all {
			if got := p.step(r); got != step {
				t.Fatalf("the step is %q, want %q", got, step)
			}
			_, certs := issue(t, r.Authority)
			for _, other := range p.all {
				if err := verify(t, other.Roots(), certs, p.c.now()); err != nil {
					t.Errorf("in step %q: %v", step, err)
				}
			}
		}
	}
	check(ca.StepTrust)
	for _, step := range []ca.Step{ca.StepIssue, ""} {
		p.c.set(p.c.now().Add(6 * time.Second))
		tick(a, done("shop/a")...)
		tick(b, undone("shop/b"))
		tick(a, done("shop/a")...)
		if p.step(a) == step {
			t.Fatal("a proxy of the other replica was not waited for")
		}
		tick(b, done("shop/b")...)
		check(step)
	}
	if string(a.Roots()) == string(old) {
		t.Error("the old root is still trusted")
	}
	late := p.join() // and one that comes later knows only the new root
	if string(late.Roots()) != string(a.Roots()) || !p.files.Succeeds(old) {
		t.Error("who comes late, or was away, is not led on")
	}
}

// Where others cannot be told, a step is not taken: else replicas would drift apart.
func TestAStepThatCannotBeToldIsNotTaken(t *testing.T) {
	p := &place{t: t, c: &clock{t: start}}
	a := p.join()
	p.rotate()
	for _, step := range []ca.Step{ca.StepTrust, ca.StepIssue} {
		if got := p.step(a); got != step {
			t.Fatalf("the step is %q, want %q", got, step)
		}
		p.c.set(p.c.now().Add(6 * time.Second))
		turn, _, _, _ := a.Rotation()
		p.down = errors.New("the API server is away")
		if err := a.Report(turn, nil, nil); err == nil || !strings.Contains(err.Error(), "away") {
			t.Errorf("nobody is told: %v", err)
		}
		if got := p.step(a); got != step {
			t.Errorf("step %q was left, to %q", step, got)
		}
		if _, certs := issue(t, a.Authority); verify(t, a.Roots(), certs, p.c.now()) != nil {
			t.Error("what it issues is not trusted")
		}
		p.down = nil
		if err := a.Report(turn, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.step(a); got != "" {
		t.Errorf("the rotation did not end: %q", got)
	}
}

// An intermediate that was brought from elsewhere cannot be made by a replica: it is shared.
func TestABroughtIntermediateIsShared(t *testing.T) {
	p := &place{t: t, c: &clock{t: start}}
	a := p.join()
	files, err := ca.Collect(a.dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, own := p.files["intermediate.pem"]; own {
		t.Fatal("a replica's own intermediate is shared")
	}
	p.files = files // with that of a, as after an import
	b := p.join()
	if _, certs := issue(t, b.Authority); !certs[1].Equal(chain(t, certPEMOf(t, files["intermediate.pem"], 0))[0]) {
		t.Error("the intermediate that was brought does not issue")
	}
	again, err := ca.Collect(b.dir, false)
	if err != nil || again["intermediate.pem"] == nil {
		t.Errorf("a replica forgets what was brought: %v", err)
	}
}

// Damaged files and those of another mesh are told apart from ours before they count.
func TestFilesAreJudgedBeforeTheyCount(t *testing.T) {
	p := &place{t: t, c: &clock{t: start}}
	a := p.join()
	stranger := &place{t: t, c: p.c}
	stranger.join()
	if stranger.files.Succeeds(a.Roots()) || !p.files.Succeeds(a.Roots()) || p.files.Succeeds(nil) {
		t.Error("strangers are not told from ours")
	}
	if d, err := p.files.Describe(a.dir); err != nil || d.Roots != string(a.Roots()) {
		t.Error(err)
	}
	for name, spoil := range map[string]func(ca.Files){
		"no root":       func(f ca.Files) { delete(f, "root.pem") },
		"half a root":   func(f ca.Files) { f["root.pem"] = f["root.pem"][:len(f["root.pem"])/2] },
		"half rotation": func(f ca.Files) { f["rotation.json"] = []byte(`{"step":"issue"}`) },
		"bad rotation":  func(f ca.Files) { f["rotation.json"] = []byte(`{`) },
	} {
		f := ca.Files{}
		for n, data := range p.files {
			f[n] = slices.Clone(data)
		}
		spoil(f)
		if _, err := f.Describe(a.dir); err == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
	left, err := filepath.Glob(filepath.Join(a.dir, ".shared-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("keys are left behind: %v %v", left, err)
	}
	if _, err := ca.Collect(filepath.Join(t.TempDir(), "none"), false); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
