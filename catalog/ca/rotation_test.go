package ca_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestIntermediateRotatesBeforeHalfItsLife(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	a := open(t, dir, c)
	_, first := issue(t, a)
	half := start.Add(1080 * time.Hour)

	c.set(start.Add(900 * time.Hour))
	if _, certs := issue(t, a); !certs[1].Equal(first[1]) {
		t.Error("the intermediate rotated long before it had to")
	}
	c.set(half.Add(-time.Hour))
	old, err := a.Issue(buyer, 0)
	if err != nil {
		t.Fatal(err)
	}
	certs := chain(t, old.CertPEM)
	if certs[1].Equal(first[1]) {
		t.Fatal("the intermediate is still in use at half of its life")
	}
	if err := verify(t, a.Roots(), certs, c.now()); err != nil {
		t.Errorf("leaf of the new intermediate: %v", err)
	}
	if _, again := issue(t, open(t, dir, c)); !again[1].Equal(certs[1]) {
		t.Error("the rotated intermediate was not kept: a restart made another")
	}
}

func TestReplicaAdoptsWhatAnotherRotated(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	a, b := open(t, dir, c), open(t, dir, c)
	c.set(start.Add(1079 * time.Hour))
	_, first := issue(t, a)
	_, second := issue(t, b)
	if !first[1].Equal(second[1]) {
		t.Error("two replicas of one state folder issue from different intermediates")
	}
}

func TestRotationThatCannotBeWrittenKeepsIssuing(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	a := open(t, dir, c)
	if err := os.Rename(filepath.Join(dir, "ca"), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	c.set(start.Add(1079 * time.Hour))
	if _, err := a.Issue(buyer, 0); err != nil {
		t.Errorf("a broken disk stops the mesh 1080 hours early: %v", err)
	}
	if a.Err() == nil {
		t.Error("nobody is told that the rotation failed")
	}
	c.set(start.Add(2160 * time.Hour))
	if _, err := a.Issue(buyer, 0); err == nil {
		t.Error("an intermediate that has ended still issues")
	}
	if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "ca")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Issue(buyer, 0); err != nil || a.Err() != nil {
		t.Errorf("after the disk was mended: %v, %v", err, a.Err())
	}
}

func TestServerCertificateRenewsItself(t *testing.T) {
	c := &clock{t: start}
	a := open(t, t.TempDir(), c)
	get := a.GetCertificate([]string{"localhost"})
	first, err := get(nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := get(nil); again != first {
		t.Error("every handshake makes a new key")
	}
	c.set(start.Add(12 * time.Hour))
	second, err := get(nil)
	if err != nil || second == first || !second.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Errorf("at half of its life the server certificate is still the old one (%v)", err)
	}
}

func TestKeepsOnlyYoungLeavesOfThisRoot(t *testing.T) {
	c := &clock{t: start}
	a, other := open(t, t.TempDir(), c), open(t, t.TempDir(), c)
	l, _ := issue(t, a)
	parts := strings.Split(l.Version(), ".")
	for name, v := range map[string]string{
		"empty": "", "of another root": func() string { l, _ := issue(t, other); return l.Version() }(),
		"that would live for ever": parts[0] + ".99999999999." + parts[2],
		"without a serial":         parts[0] + "." + parts[1] + ".",
		"with a word for its end":  parts[0] + ".soon." + parts[2],
	} {
		if _, ok := a.Keeps(v); ok {
			t.Errorf("a version %s (%q) is kept", name, v)
		}
	}
	c.set(start.Add(12 * time.Hour))
	if _, ok := a.Keeps(l.Version()); ok {
		t.Error("a leaf at half of its life is kept")
	}
}
