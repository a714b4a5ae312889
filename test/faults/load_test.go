package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loadRole is the first argument by which the test's binary is told to ask the
// questions of one pod, from inside of it: they come as JSON on standard input,
// whose end ends it; each answer is a line of JSON on standard output.
const loadRole = "meshc-faults-load"

// pace is how long a client thinks between two requests of one question, so that
// many clients fit on a small machine.
const pace = 30 * time.Millisecond

// patience is how long a client waits for an answer.
const answerWithin = 3 * time.Second

// answer is what came of one request.
type answer struct {
	Question   int
	Start, End int64 // of the machine's monotonic clock, in nanoseconds
	Got        got
	Detail     string
	Again      bool // a kept connection had been closed: asked again on a new one
}

type got string

const (
	served  got = "served"  // by the workload
	refused got = "refused" // by a proxy, with an answer that says so
	closed  got = "closed"  // the connection was closed without a word
	failed  got = "failed"  // none of these
)

// monotonic is the machine's clock that nobody sets; it is the same in all pods.
func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // this clock always is
	return t.Nano()
}

func loadMain() int {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	var asked []question
	if err == nil {
		err = json.Unmarshal(line, &asked)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "questions:", err)
		return 1
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	for _, q := range asked {
		go func() {
			c := &client{question: q}
			for {
				a := c.ask()
				mu.Lock()
				err := out.Encode(a)
				mu.Unlock()
				if err != nil {
					return
				}
				time.Sleep(pace)
			}
		}()
	}
	io.Copy(io.Discard, in)
	return 0
}

// client asks one question.
type client struct {
	question
	conn    net.Conn
	r       *bufio.Reader
	greeted bool // on this connection, of TCP
}

func (c *client) ask() answer {
	a := answer{Question: c.ID, Start: monotonic()}
	fresh := c.conn == nil
	a.Got, a.Detail = c.once()
	// Between two requests a server may close a connection at any time: who finds
	// it closed asks again, once. Of a TCP stream nobody can say where it stood.
	if !fresh && c.Method != "" && a.Got == closed {
		a.Again = true
		a.Got, a.Detail = c.once()
	}
	a.End = monotonic()
	return a
}

func (c *client) once() (got, string) {
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.Address, answerWithin)
		if err != nil {
			return failed, err.Error()
		}
		c.conn, c.r, c.greeted = conn, bufio.NewReader(conn), false
	}
	_ = c.conn.SetDeadline(time.Now().Add(answerWithin)) // it fails only where the next read does
	exchange := c.http
	if c.Method == "" {
		exchange = c.tcp
	}
	g, detail, keep := exchange()
	if !keep || !c.Kept {
		c.conn.Close()
		c.conn = nil
	}
	return g, detail
}

func (c *client) tcp() (got, string, bool) {
	if _, err := io.WriteString(c.conn, "meshc\n"); err != nil {
		return broken(err)
	}
	lines := 1
	if !c.greeted {
		lines = 2 // the first answer has a greeting before it
	}
	for range lines {
		line, err := c.r.ReadString('\n')
		switch {
		case err != nil:
			return broken(err)
		case strings.HasPrefix(line, "HTTP/"):
			// A client's own proxy refuses in HTTP where it knows nothing of a port.
			return refused, strings.TrimSpace(line), false
		}
	}
	c.greeted = true
	return served, "", true
}

func (c *client) http() (got, string, bool) {
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", c.Method, c.Path, c.To.Service.Name)
	if _, err := io.WriteString(c.conn, text); err != nil {
		return broken(err)
	}
	if _, err := c.r.Peek(1); err != nil {
		return broken(err)
	}
	r, err := http.ReadResponse(c.r, &http.Request{Method: c.Method})
	if err != nil {
		return failed, "half an answer: " + err.Error(), false
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return failed, "half a body: " + err.Error(), false
	}
	switch {
	case r.StatusCode == http.StatusOK && r.Header.Get("X-Echo-Pod") != "":
		return served, "", !r.Close
	case r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusBadRequest:
		return refused, r.Status + " " + r.Header.Get("x-meshc-denied-by"), !r.Close
	}
	return failed, fmt.Sprintf("%s %.100q", r.Status, body), !r.Close
}

// broken tells a connection that was closed from one that hangs.
func broken(err error) (got, string, bool) {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return closed, "the connection was closed: " + err.Error(), false
	}
	return failed, err.Error(), false
}
