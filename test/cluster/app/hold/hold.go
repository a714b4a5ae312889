// Package hold keeps connections open and uses them, while something happens to a mesh,
// and tells when their answers became others and when they ended. It does not know what
// is right.
package hold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// every is between two uses of a connection.
const every = 50 * time.Millisecond

// patience is how long an answer may take.
const patience = 5 * time.Second

// Connection is one that is kept: to an address by HTTP/1.1, TCP or WebSocket.
type Connection struct {
	Name    string
	Kind    caller.Kind
	Address string
	Path    string // of HTTP and WebSocket
}

// Report is what a connection saw: Turns are when it began to be answered otherwise
// (reached, refused), and when it ended (closed).
type Report struct {
	Name  string
	Uses  int
	Turns []load.Turn
	Error string // how it ended, where it did
}

// Run uses connections until done is closed; each for itself.
func Run(connections []Connection, done <-chan struct{}) []Report {
	reports := make([]Report, len(connections))
	var wait sync.WaitGroup
	for i, c := range connections {
		wait.Go(func() { reports[i] = c.run(done) })
	}
	wait.Wait()
	return reports
}

// use asks once over the connection, and tells whether the application answered.
type use func() (reached bool, err error)

func (c Connection) run(done <-chan struct{}) Report {
	r := Report{Name: c.Name}
	ask, end, err := c.open()
	if err != nil {
		r.turn("closed")
		r.Error = err.Error()
		return r
	}
	defer end()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		reached, err := ask()
		if err != nil {
			r.turn("closed")
			r.Error = err.Error()
			return r
		}
		r.Uses++
		r.turn(map[bool]string{true: "reached", false: "refused"}[reached])
		select {
		case <-done:
			return r
		case <-tick.C:
		}
	}
}

func (r *Report) turn(kind string) {
	if n := len(r.Turns); n == 0 || r.Turns[n-1].Kind != kind {
		r.Turns = append(r.Turns, load.Turn{At: time.Now(), Kind: kind})
	}
}

func (c Connection) open() (use, func(), error) {
	switch c.Kind {
	case caller.TCP:
		return c.tcp()
	case caller.WebSocket:
		return c.webSocket()
	case caller.HTTP1:
		ask, end := c.http()
		return ask, end, nil
	}
	return nil, nil, fmt.Errorf("no connection of kind %q is kept", c.Kind)
}

// tcp takes whatever comes back for an answer.
func (c Connection) tcp() (use, func(), error) {
	conn, err := net.DialTimeout("tcp", c.Address, patience)
	if err != nil {
		return nil, nil, err
	}
	buf := make([]byte, 4096)
	return func() (bool, error) {
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return false, err
		}
		if _, err := io.WriteString(conn, "x\n"); err != nil {
			return false, err
		}
		_, err := conn.Read(buf)
		return true, err
	}, func() { conn.Close() }, nil
}

func (c Connection) webSocket() (use, func(), error) {
	dialling, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(dialling, "ws://"+c.Address+c.Path, nil)
	if err != nil {
		return nil, nil, err
	}
	return func() (bool, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := conn.Write(ctx, websocket.MessageText, []byte("x")); err != nil {
			return false, err
		}
		_, _, err := conn.Read(ctx)
		return true, err
	}, func() { _ = conn.CloseNow() }, nil
}

// http asks over one connection: a second one would mean that the first was closed.
func (c Connection) http() (use, func()) {
	dialled := false
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialled {
			return nil, errors.New("the connection was closed")
		}
		dialled = true
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	client := &http.Client{Transport: transport, Timeout: patience}
	return func() (bool, error) {
		resp, err := client.Get("http://" + c.Address + c.Path)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return false, err
		}
		switch resp.StatusCode {
		case http.StatusOK:
			return true, nil
		case http.StatusForbidden:
			return false, nil
		}
		return false, fmt.Errorf("answered %s", resp.Status)
	}, transport.CloseIdleConnections
}
