package server_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a connection to the control plane that can be cut.
type wire struct {
	t       *testing.T
	to      string
	address string
	mu      sync.Mutex
	open    map[net.Conn]struct{}
}

func (c *control) wire() *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(c.t, err)
	w := &wire{t: c.t, to: c.address, address: l.Addr().String(), open: map[net.Conn]struct{}{}}
	c.t.Cleanup(func() { _ = l.Close(); w.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go w.join(in)
		}
	}()
	c.address = w.address
	return w
}

func (w *wire) join(in net.Conn) {
	w.mu.Lock()
	to := w.to
	w.open[in] = struct{}{}
	w.mu.Unlock()
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	_, _ = io.Copy(in, out)
}

// lead sends connections elsewhere from now on.
func (w *wire) lead(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Close()
	}
	clear(w.open)
}
