package lsp

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/meshc/meshc/lsp/protocol"
)

// initialize agrees with the editor on what both can do.
func (s *server) initialize(_ context.Context, p *protocol.InitializeParams) (any, error) {
	s.mu.Lock()
	s.client, s.stage = p.Capabilities, serving
	if slices.Contains(p.Capabilities.General.PositionEncodings, protocol.UTF8) {
		s.encoding = protocol.UTF8
	}
	s.mu.Unlock()
	var options struct {
		Environment string `json:"environment"`
	}
	if json.Unmarshal(p.InitializationOptions, &options) == nil && options.Environment != "" {
		s.opts.Environment = options.Environment
	}
	s.work.setFolders(folders(p), nil)
	return protocol.InitializeResult{
		Capabilities: s.capabilities(),
		ServerInfo:   protocol.ServerInfo{Name: "meshc", Version: s.opts.Version},
	}, nil
}

// folders are those that are open; older editors have one root.
func folders(p *protocol.InitializeParams) []string {
	var out []string
	for _, f := range p.WorkspaceFolders {
		if path, ok := pathOf(f.URI); ok {
			out = append(out, path)
		}
	}
	if len(out) > 0 {
		return out
	}
	if p.RootURI != nil {
		if path, ok := pathOf(*p.RootURI); ok {
			return []string{path}
		}
	}
	if p.RootPath != nil && *p.RootPath != "" {
		return []string{*p.RootPath}
	}
	return nil
}

func (s *server) capabilities() protocol.ServerCapabilities {
	out := protocol.ServerCapabilities{
		PositionEncoding:   s.encoding,
		TextDocumentSync:   protocol.SyncOptions{OpenClose: true, Change: 2, Save: true},
		HoverProvider:      true,
		DefinitionProvider: true,
		ReferencesProvider: true,
		DocumentSymbols:    true,
		WorkspaceSymbols:   true,
		RenameProvider:     protocol.RenameOptions{PrepareProvider: true},
		CompletionProvider: protocol.CompletionOptions{TriggerCharacters: []string{":", " ", "-", "/", "["}},
		CodeActionProvider: protocol.CodeActionOptions{CodeActionKinds: []string{protocol.QuickFix, protocol.FixAll}},
		ExecuteCommand:     protocol.ExecuteCommandOptions{Commands: []string{commandExplain}},
	}
	out.Workspace.WorkspaceFolders.Supported = true
	out.Workspace.WorkspaceFolders.ChangeNotifications = true
	return out
}

// watched are the files whose changes on disk matter.
var watched = []string{"**/*.{yaml,yml,json,rego}", "**/Kustomization", "**/meshc.lock"}

// initialized begins to look at the workspace, and asks to hear of files.
func (s *server) initialized(*struct{}) {
	s.work.reload()
	if !s.client.Workspace.DidChangeWatchedFiles.DynamicRegistration {
		return
	}
	var w protocol.Watchers
	for _, glob := range watched {
		w.Watchers = append(w.Watchers, protocol.Watcher{GlobPattern: glob})
	}
	ask := protocol.Registrations{Registrations: []protocol.Registration{{
		ID: "files", Method: "workspace/didChangeWatchedFiles", RegisterOptions: w,
	}}}
	go func() { // its answer comes over the connection that waits for us
		if err := s.conn.Call(context.Background(), "client/registerCapability", ask, nil); err != nil {
			s.log.Printf("client/registerCapability: %v", err)
		}
	}()
}

// shutdown ends the work; what remains is exit.
func (s *server) shutdown(context.Context, *struct{}) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stage = shut
	return nil, nil
}
