package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lab/caller"
)

// TestWatchAppliesWhatIsSaved: who edits a manifest under `lab up --watch` is told
// what the change lets happen, and the Envoys do it; a faulty edit changes nothing.
func TestWatchAppliesWhatIsSaved(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real Envoys")
	}
	dir := t.TempDir()
	save := func(old, new string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join("testdata", "shop.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), old, new)
		if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	save("", "")
	load := func() (*source.Tree, ir.Known, error) {
		tree, _, err := source.Load(source.Options{Paths: []string{dir}})
		return tree, ir.Known{}, err
	}
	first, _, err := load()
	if err != nil {
		t.Fatal(err)
	}
	l := up(t, Options{Tree: first})
	ctx, cancel := context.WithCancel(context.Background())
	updates, ended := make(chan Update, 16), make(chan error, 1)
	go func() { ended <- l.Watch(ctx, load, func(u Update) { updates <- u }) }()
	next := func(what string, fits func(Update) bool) Update {
		t.Helper()
		deadline := time.After(20 * time.Second)
		for {
			select {
			case u := <-updates:
				if fits(u) {
					return u
				}
			case <-deadline:
				t.Fatalf("%s was never told", what)
			}
		}
	}
	// The watch may begin after the first save: it is saved until it is told.
	saved := make(chan struct{})
	go func() {
		for {
			select {
			case <-saved:
				return
			case <-time.After(300 * time.Millisecond):
				data, _ := os.ReadFile(filepath.Join(dir, "shop.yaml"))
				os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(strings.ReplaceAll(string(data), "methods: [GET]", "methods: [GET, PUT]")), 0o644)
			}
		}
	}()
	u := next("the widened grant", func(u Update) bool { return len(u.Differences) > 0 })
	close(saved)
	if text := u.Differences[len(u.Differences)-1].String(); !strings.HasPrefix(text, "+ shop/client may GET, PUT ^/read.*$ at shop/web") {
		t.Errorf("the change is told as %q", text)
	}
	if got := sendOne(t, l, "shop/client", caller.Request{Address: "web:80", Method: "PUT", Path: "/read/1"}); got.Status != 200 {
		t.Errorf("what was told to be allowed is answered %d", got.Status)
	}
	save("methods: [GET]", "methods: [get]")
	u = next("the faulty edit", func(u Update) bool { return u.Err != nil })
	if got := sendOne(t, l, "shop/client", caller.Request{Address: "web:80", Method: "PUT", Path: "/read/1"}); got.Status != 200 {
		t.Errorf("after a faulty edit (%v) the client is answered %d", u.Err, got.Status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
