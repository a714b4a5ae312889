// Package lsptest is an editor for tests: it speaks with a language server over a
// pair of streams, with a framing of its own, and waits for what the server says
// instead of for time to pass.
package lsptest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/meshc/meshc/lsp/protocol"
)

// patience is how long a test waits for one thing before it calls the server hung. It
// is no measure of speed.
const patience = 2 * time.Minute

// Client is an editor.
type Client struct {
	t   testing.TB
	out io.Writer

	mu      sync.Mutex
	changed *sync.Cond
	next    int
	answers map[int]message
	told    []message
	shown   map[string]protocol.PublishDiagnostics
	ended   error
	late    bool
}

// message is one of JSON-RPC.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

// Error is an answer that refuses.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error is the refusal's text.
func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// New speaks with a server that reads from out and writes to in.
func New(t testing.TB, in io.Reader, out io.Writer) *Client {
	c := &Client{t: t, out: out, answers: map[int]message{}, shown: map[string]protocol.PublishDiagnostics{}}
	c.changed = sync.NewCond(&c.mu)
	go c.listen(bufio.NewReader(in))
	return c
}

func (c *Client) listen(in *bufio.Reader) {
	for {
		header, err := textproto.NewReader(in).ReadMIMEHeader()
		var m message
		if err == nil {
			var length int
			length, err = strconv.Atoi(header.Get("Content-Length"))
			body := make([]byte, max(length, 0))
			if err == nil {
				_, err = io.ReadFull(in, body)
			}
			if err == nil {
				err = json.Unmarshal(body, &m)
			}
		}
		c.mu.Lock()
		if err != nil {
			c.ended = err
		} else {
			c.take(m)
		}
		c.changed.Broadcast()
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *Client) take(m message) {
	switch {
	case m.Method == "" && len(m.ID) > 0:
		if id, err := strconv.Atoi(string(m.ID)); err == nil {
			c.answers[id] = m
		} else {
			c.told = append(c.told, m)
		}
	case m.Method == "textDocument/publishDiagnostics":
		var p protocol.PublishDiagnostics
		if err := json.Unmarshal(m.Params, &p); err == nil {
			c.shown[p.URI] = p
		}
		c.told = append(c.told, m)
	case len(m.ID) > 0: // what the server asks is granted
		go c.write(message{Version: "2.0", ID: m.ID, Result: json.RawMessage("null")})
		c.told = append(c.told, m)
	default:
		c.told = append(c.told, m)
	}
}

func (c *Client) write(m message) {
	body, err := json.Marshal(m)
	if err != nil {
		c.t.Error(err)
		return
	}
	c.Raw(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

// Raw writes bytes as they are.
func (c *Client) Raw(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c.out, text); err != nil {
		c.t.Logf("the server reads no more: %v", err)
	}
}

// Ask sends a request and gives its id.
func (c *Client) Ask(method string, params any) int {
	c.mu.Lock()
	c.next++
	id := c.next
	c.mu.Unlock()
	c.write(message{Version: "2.0", ID: json.RawMessage(strconv.Itoa(id)), Method: method, Params: c.encode(params)})
	return id
}

// Answer waits for the answer to a request; result may be nil.
func (c *Client) Answer(id int, result any) error {
	c.t.Helper()
	var m message
	c.wait(fmt.Sprintf("the answer to request %d", id), func() bool {
		var ok bool
		m, ok = c.answers[id]
		return ok
	})
	if m.Error != nil {
		return m.Error
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(m.Result, result)
}

// Call asks and waits; a refusal fails the test.
func (c *Client) Call(method string, params, result any) {
	c.t.Helper()
	if err := c.Answer(c.Ask(method, params), result); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
}

// Notify tells the server something.
func (c *Client) Notify(method string, params any) {
	c.write(message{Version: "2.0", Method: method, Params: c.encode(params)})
}

func (c *Client) encode(params any) json.RawMessage {
	if params == nil {
		return nil
	}
	raw, err := json.Marshal(params)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw
}

// Diagnostics waits until those of a document are as wanted, and gives them.
func (c *Client) Diagnostics(uri, what string, wanted func([]protocol.Diagnostic) bool) protocol.PublishDiagnostics {
	c.t.Helper()
	var p protocol.PublishDiagnostics
	c.wait("diagnostics of "+uri+": "+what, func() bool {
		var ok bool
		p, ok = c.shown[uri]
		return ok && wanted(p.Diagnostics)
	})
	return p
}

// Told waits for a notification or request of the server, and gives the parameters of
// the last one.
func (c *Client) Told(method string) json.RawMessage {
	c.t.Helper()
	var out json.RawMessage
	c.wait(method, func() bool {
		for _, m := range c.told {
			if m.Method == method {
				out = m.Params
			}
		}
		return out != nil
	})
	return out
}

// Heard are the parameters of all notifications of a method so far.
func (c *Client) Heard(method string) []json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []json.RawMessage
	for _, m := range c.told {
		if m.Method == method {
			out = append(out, m.Params)
		}
	}
	return out
}

// Ended waits until the server writes no more.
func (c *Client) Ended() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.hurry().Stop()
	for c.ended == nil && !c.late {
		c.changed.Wait()
	}
	if c.late {
		c.t.Fatal("the server does not end")
	}
}

// hurry ends a wait that takes too long.
func (c *Client) hurry() *time.Timer {
	return time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.late = true
		c.changed.Broadcast()
	})
}

// wait blocks until the server has said enough.
func (c *Client) wait(what string, enough func() bool) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.hurry().Stop()
	for !enough() {
		if c.ended != nil || c.late {
			shown, _ := json.MarshalIndent(c.shown, "", " ")
			c.t.Fatalf("waited for %s; the server ended: %v; late: %v; shown: %s", what, c.ended, c.late, shown)
		}
		c.changed.Wait()
	}
}

// Refused waits for an answer to nobody: the server's word on what it cannot read.
func (c *Client) Refused() *Error {
	c.t.Helper()
	var out *Error
	c.wait("a refusal of an unreadable message", func() bool {
		for _, m := range c.told {
			if m.Method == "" && m.Error != nil {
				out = m.Error
			}
		}
		return out != nil
	})
	return out
}

// URI is that of a file.
func URI(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}
