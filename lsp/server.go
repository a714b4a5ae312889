// Package lsp is a language server for the manifests of a mesh: findings while
// they are typed, what an object means, where a name leads, what may stand here,
// and fixes. In come the messages of an editor over a pair of streams, out go
// answers and diagnostics. What it knows of meshes it asks of the compiler; it
// knows neither Envoy nor clusters, and writes no file.
package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lsp/protocol"
)

// Options of a server; the zero value is useful.
type Options struct {
	// Version is what the server tells of itself.
	Version string
	// Environment is laid over every meshc.yaml that has it.
	Environment string
	// Baseline is the file, from the folder of each meshc.yaml, whose findings are hints;
	// empty, or where a mesh has no such file: none.
	Baseline string
	// RuleSets gives the rule sets that a meshc.yaml pins; nil: none is at hand.
	RuleSets source.RuleSets
	// Now is the time of judgement; nil: the clock.
	Now func() time.Time
	// Quiet gives a channel that tells when nothing was typed for long enough; nil:
	// after a twentieth of a second.
	Quiet func() <-chan time.Time
	// Log is where a defect of the server is told; nil: nowhere.
	Log io.Writer
}

// quiet is how long nothing must have been typed before findings are looked for.
const quiet = 50 * time.Millisecond

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	if o.Quiet == nil {
		o.Quiet = func() <-chan time.Time { return time.After(quiet) }
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// server serves one editor.
type server struct {
	opts Options
	log  *log.Logger
	conn *jsonrpc2.Conn

	mu       sync.Mutex
	stage    stage
	client   protocol.ClientCapabilities
	encoding protocol.Encoding
	running  map[jsonrpc2.ID]context.CancelFunc

	docs *documents
	work *workspace

	once sync.Once
	left chan struct{} // closed by exit
}

// stage is how far the conversation is.
type stage uint8

const (
	fresh stage = iota
	serving
	shut
)

// Serve speaks with an editor until it says exit, the streams end, or the context
// does. ok tells whether the editor said goodbye as it should: shutdown, then exit.
func Serve(ctx context.Context, in io.Reader, out io.Writer, opts Options) (ok bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opts = opts.withDefaults()
	s := &server{
		opts: opts, log: log.New(opts.Log, "meshc lsp: ", 0), encoding: protocol.UTF16,
		running: map[jsonrpc2.ID]context.CancelFunc{}, left: make(chan struct{}),
	}
	s.docs = &documents{open: map[string]*document{}}
	s.work = newWorkspace(s)
	defer s.work.close()
	started := make(chan struct{})
	stream := protocol.NewStream(in, out, func() error { return nil })
	s.conn = jsonrpc2.NewConn(ctx, stream, gate{started, s}, jsonrpc2.SetLogger(s.log))
	close(started)
	loop := make(chan struct{})
	go func() {
		defer close(loop)
		s.work.loop(ctx)
	}()
	select {
	case <-s.left:
	case <-s.conn.DisconnectNotify():
	case <-ctx.Done():
	}
	cancel()
	<-loop
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stage == shut
}

// gate holds messages back until the server knows its connection.
type gate struct {
	started <-chan struct{}
	s       *server
}

// Handle passes a message on.
func (g gate) Handle(ctx context.Context, _ *jsonrpc2.Conn, req *jsonrpc2.Request) {
	<-g.started
	g.s.handle(ctx, req)
}

// codeNotInitialized, codeCancelled are errors of the protocol.
const (
	codeNotInitialized = -32002
	codeCancelled      = -32800
	codeFailed         = -32803
)

// handle takes one message. Notifications and what begins or ends the
// conversation are done at once, in order; questions are answered beside each other.
func (s *server) handle(ctx context.Context, req *jsonrpc2.Request) {
	if req.Notif {
		s.guarded(func() error { s.notified(req); return nil })
		return
	}
	call, known := calls[req.Method]
	switch at := s.at(); {
	case req.Method == "initialize" && at == fresh, req.Method == "shutdown" && at == serving:
		s.answer(ctx, req, call)
	case at == fresh:
		s.refuse(ctx, req, codeNotInitialized, "the server is not initialized")
	case at == shut || req.Method == "initialize":
		s.refuse(ctx, req, jsonrpc2.CodeInvalidRequest, "this is not the time for "+req.Method)
	case !known:
		s.refuse(ctx, req, jsonrpc2.CodeMethodNotFound, "there is no method "+req.Method)
	default:
		ctx, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.running[req.ID] = cancel
		s.mu.Unlock()
		go func() {
			defer func() {
				cancel()
				s.mu.Lock()
				delete(s.running, req.ID)
				s.mu.Unlock()
			}()
			s.answer(ctx, req, call)
		}()
	}
}

func (s *server) at() stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stage
}

// answer runs a call and sends what comes of it.
func (s *server) answer(ctx context.Context, req *jsonrpc2.Request, run call) {
	var result any
	err := s.guarded(func() (err error) {
		result, err = run(s, ctx, params(req))
		return err
	})
	if ctx.Err() != nil {
		s.refuse(ctx, req, codeCancelled, "the request was cancelled")
		return
	}
	if err != nil {
		var known *jsonrpc2.Error
		if !errors.As(err, &known) { // whose text begins with its number
			known = &jsonrpc2.Error{Code: codeFailed, Message: err.Error()}
		}
		s.refuse(ctx, req, known.Code, known.Message)
		return
	}
	if err := s.conn.Reply(ctx, req.ID, result); err != nil {
		s.log.Printf("%s: %v", req.Method, err)
	}
}

func (s *server) refuse(ctx context.Context, req *jsonrpc2.Request, code int64, message string) {
	if err := s.conn.ReplyWithError(ctx, req.ID, &jsonrpc2.Error{Code: code, Message: message}); err != nil {
		s.log.Printf("%s: %v", req.Method, err)
	}
}

func params(req *jsonrpc2.Request) json.RawMessage {
	if req.Params == nil {
		return nil
	}
	return *req.Params
}

// guarded runs what must not take the server down: a defect is told, and the
// conversation goes on.
func (s *server) guarded(run func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Printf("defect: %v\n%s", r, debug.Stack())
			err = &jsonrpc2.Error{Code: jsonrpc2.CodeInternalError, Message: fmt.Sprintf("this is a defect of meshc: %v", r)}
		}
	}()
	return run()
}

// send tells the editor something; an editor that is gone hears nothing.
func (s *server) send(ctx context.Context, method string, params any) {
	if err := s.conn.Notify(ctx, method, params); err != nil && ctx.Err() == nil {
		s.log.Printf("%s: %v", method, err)
	}
}
