// Package browser runs a headless Chromium for tests of what meshc shows in one,
// and speaks the DevTools protocol with it over a pipe. `make browser` fetches it
// into .cache/browser; nothing else on the machine is used, and no network.
package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/meshc/meshc/test/repository"
)

// patience is how long an answer may take on a busy machine.
const patience = 90 * time.Second

// Browser is a running browser.
type Browser struct {
	t    testing.TB
	out  *os.File
	mu   sync.Mutex
	last int
	// waiting are the calls by number; heard are the events of pages.
	waiting map[int]chan reply
	heard   []Event
}

type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
	Event
}

// Event is something that happened in a page.
type Event struct {
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Session string          `json:"sessionId"`
}

// Start runs the browser until the test ends.
func Start(t testing.TB) *Browser {
	t.Helper()
	home := cache(t)
	toRead, toWrite := pipe(t)
	fromRead, fromWrite := pipe(t)
	lib := filepath.Join(home, "lib")
	cmd := exec.Command(filepath.Join(home, "chromium"), "--headless=shell", "--no-sandbox", "--no-zygote", "--disable-gpu",
		"--disable-dev-shm-usage", "--font-render-hinting=none", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.Env = []string{"HOME=" + t.TempDir(), "LD_LIBRARY_PATH=" + lib, "FONTCONFIG_PATH=" + home, "PATH=" + os.Getenv("PATH")}
	cmd.ExtraFiles = []*os.File{toRead, fromWrite}
	if err := cmd.Start(); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	toRead.Close()
	fromWrite.Close()
	b := &Browser{t: t, out: toWrite, waiting: map[int]chan reply{}}
	ended := make(chan struct{})
	go func() { defer close(ended); b.read(fromRead) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-ended
	})
	return b
}

// cache is the folder that `make browser` fills, beside the go.mod above.
func cache(t testing.TB) string {
	t.Helper()
	dir, err := repository.Top()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, ".cache", "browser")
	if _, err := os.Stat(filepath.Join(home, "chromium")); err != nil {
		t.Fatalf("there is no browser in %s: run make browser", home)
	}
	return home
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// read hands answers to who waits for them, until the browser ends.
func (b *Browser) read(from *os.File) {
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			break
		}
		var r reply
		if err := json.Unmarshal(text[:len(text)-1], &r); err != nil {
			break
		}
		b.mu.Lock()
		if r.ID == 0 {
			b.heard = append(b.heard, r.Event)
		} else if to := b.waiting[r.ID]; to != nil {
			to <- r
			delete(b.waiting, r.ID)
		}
		b.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, to := range b.waiting {
		close(to)
	}
	b.waiting = nil
}

// call asks the browser, or a page of it.
func (b *Browser) call(session, method string, params any, result any) {
	b.t.Helper()
	answered := make(chan reply, 1)
	b.mu.Lock()
	if b.waiting == nil {
		b.mu.Unlock()
		b.t.Fatal("the browser has ended")
	}
	b.last++
	id := b.last
	b.waiting[id] = answered
	b.mu.Unlock()
	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": session})
	if session == "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.out.Write(append(text, 0))
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	select {
	case r, ok := <-answered:
		if !ok {
			b.t.Fatalf("%s: the browser ended before it answered", method)
		}
		if r.Error != nil {
			b.t.Fatalf("%s: %s", method, r.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(r.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
	case <-time.After(patience):
		b.t.Fatalf("%s: no answer", method)
	}
}

// Events are those of a page and method, as heard until now.
func (b *Browser) events(session, method string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, e := range b.heard {
		if e.Session == session && e.Method == method {
			out = append(out, fmt.Sprintf("%.300s", e.Params))
		}
	}
	return out
}
