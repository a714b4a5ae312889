package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/lsp"
	"github.com/meshc/meshc/lsp/lsptest"
	"github.com/meshc/meshc/lsp/protocol"
)

// BenchmarkEditor is an edit of ref-mesh(1000) in an editor, from the keystroke to the
// diagnostics, without the pause that waits for more keystrokes; and the questions
// that follow.
func BenchmarkEditor(b *testing.B) {
	dir := b.TempDir()
	files := RefMesh(1000, 64)
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "meshc.yaml"), []byte("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: x}\nspec: {sources: [.]}\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	name, text := targetFile(b, files)
	serverIn, out := io.Pipe()
	in, serverOut := io.Pipe()
	at := make(chan time.Time)
	close(at)
	go lsp.Serve(context.Background(), serverIn, serverOut, lsp.Options{Quiet: func() <-chan time.Time { return at }})
	c := lsptest.New(b, in, out)
	uri := lsptest.URI(filepath.Join(dir, name))
	c.Call("initialize", map[string]any{"capabilities": map[string]any{}, "workspaceFolders": []protocol.Folder{{URI: lsptest.URI(dir)}}}, nil)
	c.Notify("initialized", map[string]any{})
	c.Notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "version": 0, "text": text}})
	broken := strings.Replace(text, "kind: HTTPRouteGroup\n    name: ", "kind: HTTPRouteGroup\n    name: no-", 1)
	place := strings.Index(broken, "name: no-")
	position := protocol.NewText([]byte(broken)).Position(place+8, protocol.UTF16)
	edit := func(version int, text string, wrong bool) {
		c.Notify("textDocument/didChange", protocol.DidChange{
			TextDocument:   protocol.VersionedID{URI: uri, Version: int32(version)},
			ContentChanges: []protocol.Change{{Text: text}},
		})
		c.Diagnostics(uri, "of the edit", func(list []protocol.Diagnostic) bool {
			for _, d := range list {
				if d.Code == "MSH1004" {
					return wrong
				}
			}
			return !wrong
		})
	}
	edit(1, broken, true)
	edit(2, text, false)
	b.Run("diagnostics", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			edit(3+i, []string{broken, text}[i%2], i%2 == 0)
		}
	})
	for _, method := range []string{"textDocument/hover", "textDocument/definition", "textDocument/completion"} {
		b.Run(method, func(b *testing.B) {
			for b.Loop() {
				c.Call(method, protocol.PlaceParams{TextDocument: protocol.DocumentID{URI: uri}, Position: position}, nil)
			}
		})
	}
	c.Call("shutdown", nil, nil)
	c.Notify("exit", nil)
}

// targetFile is a file of the mesh that holds a target.
func targetFile(b *testing.B, files map[string][]byte) (name, text string) {
	for i := range 64 {
		for name, data := range files {
			if strings.Contains(name, fmt.Sprint(i)) && strings.Contains(string(data), "kind: HTTPRouteGroup\n    name: ") {
				return name, string(data)
			}
		}
	}
	b.Fatal("no file holds a target")
	return "", ""
}
