package bundle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func entriesOf(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func opened(t *testing.T, dir string) *Bundle {
	t.Helper()
	b, findings, err := Open(dir)
	if err != nil || len(findings) > 0 {
		t.Fatalf("%s: %v %v", dir, findings, err)
	}
	return b
}

func TestWriteThenOpen(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "new", "bundle")
	first, second := packed(t, sample(2)), packed(t, sample(3))
	for _, b := range []*Bundle{first, first, second} {
		if err := Write(dir, b); err != nil {
			t.Fatal(err)
		}
		if got := opened(t, dir).Manifest.BundleDigest; got != b.Manifest.BundleDigest {
			t.Errorf("opened %s, wrote %s", got, b.Manifest.BundleDigest)
		}
		if got := entriesOf(t, filepath.Dir(dir)); got != "bundle" {
			t.Errorf("beside the bundle lies %q", got)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("a server that runs as another user cannot read the bundle: %v %v", info.Mode(), err)
	}
}

// A mistyped -o must not cost the user a folder.
func TestWriteKeepsAForeignFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, packed(t, sample(1))); !errors.Is(err, ErrNotBundle) {
		t.Errorf("error %v", err)
	}
	if got := entriesOf(t, dir); got != "thesis.txt" {
		t.Errorf("the folder now holds %q", got)
	}
	empty := t.TempDir()
	if err := Write(empty, packed(t, sample(1))); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	opened(t, empty)
}

// What a write left when its machine died is taken away by the next, and a
// bundle that was moved aside comes back.
func TestWriteCleansUpAfterACrash(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "b")
	old := packed(t, sample(1))
	if err := Write(filepath.Join(parent, "b"+oldMark+"1"), old); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b" + newMark + "7", "b" + oldMark + "2", "bystander" + newMark + "7"} {
		if err := os.Mkdir(filepath.Join(parent, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := clean(dir); err != nil {
		t.Fatal(err)
	}
	if got := opened(t, dir).Manifest.BundleDigest; got != old.Manifest.BundleDigest {
		t.Errorf("restored %s", got)
	}
	if err := Write(dir, packed(t, sample(2))); err != nil {
		t.Fatal(err)
	}
	if got := entriesOf(t, parent); got != "b bystander"+newMark+"7" {
		t.Errorf("left: %s", got)
	}
}

func TestWriteThroughALinkKeepsTheLink(t *testing.T) {
	parent := t.TempDir()
	link := filepath.Join(parent, "current")
	if err := Write(filepath.Join(parent, "v1"), packed(t, sample(1))); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("v1", link); err != nil {
		t.Fatal(err)
	}
	want := packed(t, sample(2))
	if err := Write(link, want); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "v1" {
		t.Errorf("the link leads to %q: %v", to, err)
	}
	if got := opened(t, link).Manifest.BundleDigest; got != want.Manifest.BundleDigest {
		t.Error("the old bundle is still read through the link")
	}
}

// A reader never sees a part of a bundle, and never none, while others write.
func TestReadersSeeWholeBundlesOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b")
	bundles := []*Bundle{packed(t, sample(1)), packed(t, sample(2))}
	if err := Write(dir, bundles[0]); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 10 {
				if err := Write(dir, bundles[(w+i)%2]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		// An open folder keeps its files while the name moves on.
		if _, findings, err := Open(dir); len(findings) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%v %v", findings, err)
		} else if err != nil {
			t.Fatalf("the bundle was gone for a moment: %v", err)
		}
	}
}

func TestOpenNamesTheFolder(t *testing.T) {
	if _, _, err := Open(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	dir := t.TempDir()
	if _, findings, err := Open(dir); err != nil || codes(findings) != "MSH0401" || findings[0].At().File != dir+"/manifest.json" {
		t.Errorf("%v %v", findings, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "manifest.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, findings, err := Open(dir); err != nil || codes(findings) != "MSH0405" {
		t.Errorf("a folder in place of a file: %v %v", findings, err)
	}
}
