package faults

import (
	"net"
	"sync"
	"time"
)

// wire is the network between proxies and their control plane: a relay that can
// be cut, go silent, or take its time. Lost packets are the business of dropRole:
// the kernels of many machines have no sch_netem.
type wire struct {
	listener net.Listener

	mu    sync.Mutex
	to    string
	cut   bool
	delay time.Duration
	open  chan struct{} // closed while bytes pass
	conns map[net.Conn]struct{}
}

func newWire(l net.Listener) *wire {
	w := &wire{listener: l, open: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(w.open)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.relay(c)
		}
	}()
	return w
}

// lead says where the server is now.
func (w *wire) lead(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
}

func (w *wire) target() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to
}

func (w *wire) relay(c net.Conn) {
	defer c.Close()
	to := w.target()
	if to == "" || !w.hold(c) {
		return
	}
	defer w.drop(c)
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer s.Close()
	if !w.hold(s) {
		return
	}
	defer w.drop(s)
	done := make(chan struct{}, 2)
	go w.pump(c, s, done)
	go w.pump(s, c, done)
	<-done
}

// hold notes an open connection; on a cut wire there is none.
func (w *wire) hold(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	w.conns[c] = struct{}{}
	return true
}

func (w *wire) drop(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

// pump carries bytes one way, each piece after the delay, none while the wire is
// silent.
func (w *wire) pump(from, to net.Conn, done chan<- struct{}) {
	defer func() { done <- struct{}{} }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		open, delay := w.open, w.delay
		w.mu.Unlock()
		<-open
		time.Sleep(delay)
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// sever closes every connection and refuses new ones until the wire is mended.
func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for c := range w.conns {
		c.Close()
	}
}

// silence holds every byte back until the wire is mended; connections stay open.
func (w *wire) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = make(chan struct{})
}

// slow delays every piece of what is carried.
func (w *wire) slow(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = by
}

// mend ends every fault.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut, w.delay = false, 0
	select {
	case <-w.open:
	default:
		close(w.open)
	}
}

func (w *wire) close() {
	w.listener.Close()
	w.mend()
	w.sever()
}
