package lsp

import (
	"context"
	"encoding/json"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/meshc/meshc/lsp/protocol"
)

// call answers a question; the parameters are as they came.
type call func(s *server, ctx context.Context, params json.RawMessage) (any, error)

// calls are the questions that are answered.
var calls = map[string]call{
	"initialize": asks((*server).initialize),
	"shutdown":   asks((*server).shutdown),

	"textDocument/hover":      asks((*server).hover),
	"textDocument/definition": asks((*server).definition),
	"textDocument/references": asks((*server).references),
	"textDocument/completion": asks((*server).completion),

	"textDocument/documentSymbol": asks((*server).documentSymbol),
	"workspace/symbol":            asks((*server).workspaceSymbol),

	"textDocument/codeAction":    asks((*server).codeAction),
	"workspace/executeCommand":   asks((*server).executeCommand),
	"textDocument/prepareRename": asks((*server).prepareRename),
	"textDocument/rename":        asks((*server).rename),
}

// asks makes a call of a method that takes its parameters decoded.
func asks[P any](answer func(*server, context.Context, *P) (any, error)) call {
	return func(s *server, ctx context.Context, raw json.RawMessage) (any, error) {
		p := new(P)
		if err := read(raw, p); err != nil {
			return nil, err
		}
		return answer(s, ctx, p)
	}
}

func read(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: "the parameters cannot be read: " + err.Error()}
	}
	return nil
}

// notified takes what needs no answer.
func (s *server) notified(req *jsonrpc2.Request) {
	switch at := s.at(); {
	case req.Method == "exit":
		s.once.Do(func() { close(s.left) })
		return
	case req.Method == "$/cancelRequest":
		s.cancelled(params(req))
		return
	case at != serving:
		return
	}
	take, known := notifications[req.Method]
	if !known {
		return
	}
	if err := take(s, params(req)); err != nil {
		s.log.Printf("%s: %v", req.Method, err)
	}
}

// notifications are those that are understood.
var notifications = map[string]func(*server, json.RawMessage) error{
	"initialized":                         takes((*server).initialized),
	"textDocument/didOpen":                takes((*server).didOpen),
	"textDocument/didChange":              takes((*server).didChange),
	"textDocument/didSave":                takes((*server).didSave),
	"textDocument/didClose":               takes((*server).didClose),
	"workspace/didChangeWatchedFiles":     takes((*server).didChangeFiles),
	"workspace/didChangeWorkspaceFolders": takes((*server).didChangeFolders),
}

func takes[P any](take func(*server, *P)) func(*server, json.RawMessage) error {
	return func(s *server, raw json.RawMessage) error {
		p := new(P)
		if err := read(raw, p); err != nil {
			return err
		}
		take(s, p)
		return nil
	}
}

// cancelled ends a request that nobody waits for any more.
func (s *server) cancelled(raw json.RawMessage) {
	var p protocol.CancelParams
	var id jsonrpc2.ID
	if read(raw, &p) != nil || json.Unmarshal(p.ID, &id) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[id]; cancel != nil {
		cancel()
	}
}
