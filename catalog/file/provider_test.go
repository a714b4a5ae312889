package file_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/file"
)

// patience is how long a change may take to be seen on a busy machine.
const patience = 20 * time.Second

func ranges(prefix string) string { return catalogOf("  ranges: {pods: [" + prefix + "]}") }

func follow(t *testing.T, path string, poll time.Duration) *file.Provider {
	t.Helper()
	p, err := file.OpenWith(path, file.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Poll: poll})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func pods(p *file.Provider) string {
	s := p.Snapshot()
	if len(s.PodRanges) == 0 {
		return ""
	}
	return s.PodRanges[0].String()
}

// await waits for what Changed tells until the state is as wanted.
func await(t *testing.T, p *file.Provider, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-p.Changed():
		case <-deadline:
			t.Fatalf("%s: not seen; snapshot %s, error %v", what, pods(p), p.Err())
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// Polling is off in these tests: an hour. What is seen is seen by notices.
func TestEditsAreSeenHoweverTheyAreMade(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "catalog.yaml")
	write(t, path, ranges("10.0.0.0/16"))
	p := follow(t, path, time.Hour)
	if pods(p) != "10.0.0.0/16" {
		t.Fatal(pods(p))
	}
	is := func(want string) func() bool { return func() bool { return pods(p) == want && p.Err() == nil } }

	write(t, path, ranges("10.1.0.0/16"))
	await(t, p, "written in place", is("10.1.0.0/16"))

	write(t, path+".new", ranges("10.2.0.0/16"))
	move(t, path+".new", path)
	await(t, p, "replaced by rename", is("10.2.0.0/16"))

	// Editors that keep a backup: the old file moves away, a new one is written.
	move(t, path, path+"~")
	write(t, path, ranges("10.3.0.0/16"))
	await(t, p, "written anew beside a backup", is("10.3.0.0/16"))

	write(t, filepath.Join(dir, "other"), ranges("10.4.0.0/16"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	link(t, "other", path)
	await(t, p, "became a link", is("10.4.0.0/16"))

	write(t, filepath.Join(dir, "other"), ranges("10.5.0.0/16"))
	await(t, p, "its target was written", is("10.5.0.0/16"))
}

// A mounted ConfigMap: catalog.yaml leads through ..data to a folder of its own
// version, and ..data is swapped.
func TestConfigMapSwap(t *testing.T) {
	dir := t.TempDir()
	version := func(name, text string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "catalog.yaml"), text)
	}
	version("..v1", ranges("10.1.0.0/16"))
	link(t, "..v1", filepath.Join(dir, "..data"))
	link(t, filepath.Join("..data", "catalog.yaml"), filepath.Join(dir, "catalog.yaml"))
	p := follow(t, filepath.Join(dir, "catalog.yaml"), time.Hour)
	for i, v := range []string{"2", "3"} {
		version("..v"+v, ranges("10."+v+".0.0/16"))
		link(t, "..v"+v, filepath.Join(dir, "..tmp"))
		move(t, filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data"))
		if err := os.RemoveAll(filepath.Join(dir, "..v"+[]string{"1", "2"}[i])); err != nil {
			t.Fatal(err)
		}
		await(t, p, "..data swapped to "+v, func() bool { return pods(p) == "10."+v+".0.0/16" && p.Err() == nil })
	}
}

func TestBadEditKeepsTheLastGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.yaml")
	write(t, path, ranges("10.0.0.0/16"))
	p := follow(t, path, time.Hour)
	good := p.Snapshot()

	write(t, path, ranges("10.0.0.1/16"))
	await(t, p, "bad edit", func() bool { return p.Err() != nil })
	var invalid *file.Invalid
	if !errors.As(p.Err(), &invalid) || invalid.Findings[0].Code != "MSH4505" || !strings.Contains(p.Err().Error(), path+":4:19") {
		t.Errorf("nobody is told what is wrong and where: %v", p.Err())
	}
	if p.Snapshot() != good {
		t.Error("a bad edit changed what is served")
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(t, p, "removed", func() bool { return errors.Is(p.Err(), os.ErrNotExist) })
	if p.Snapshot() != good {
		t.Error("a removed file emptied the mesh")
	}

	write(t, path, ranges("10.0.0.0/16"))
	await(t, p, "mended", func() bool { return p.Err() == nil })
	if pods(p) != "10.0.0.0/16" {
		t.Errorf("after mending: %s", pods(p))
	}
}

// Some file systems give no notices, and a folder that is made anew takes its
// watch away: the file is looked at all the same.
func TestPollingSeesWhatNoticesMiss(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "catalog.yaml")
	write(t, path, ranges("10.0.0.0/16"))
	p := follow(t, path, 20*time.Millisecond)
	move(t, dir, dir+".old")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, ranges("10.1.0.0/16"))
	await(t, p, "folder made anew", func() bool { return pods(p) == "10.1.0.0/16" && p.Err() == nil })
	write(t, path, ranges("10.2.0.0/16"))
	await(t, p, "written in the new folder", func() bool { return pods(p) == "10.2.0.0/16" && p.Err() == nil })
}

func TestFirstReadingMustSucceed(t *testing.T) {
	dir := t.TempDir()
	if _, err := file.Open(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	path := filepath.Join(dir, "catalog.yaml")
	write(t, path, "kind: Catalog\n")
	var invalid *file.Invalid
	if _, err := file.Open(path); !errors.As(err, &invalid) || !invalid.Findings.HasErrors() {
		t.Errorf("a catalog that is wrong: %v", err)
	}
	if _, err := file.Open(dir); err == nil {
		t.Error("a folder passes for a catalog")
	}
}

func TestCloseTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.yaml")
	write(t, path, ranges("10.0.0.0/16"))
	p, err := file.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if p.Snapshot() == nil {
		t.Error("the last snapshot is gone")
	}
}
