package lsp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/meshc/meshc/lsp/protocol"
	"github.com/meshc/meshc/test/fuzz/guard"
)

// Whatever is typed, wherever the cursor is: what is offered stands in the text, and
// finding out takes bounded work.
func FuzzCursor(f *testing.F) {
	head := "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: a}\nspec:\n"
	f.Add(head+"  rules:\n  - kind: H\n    matches: [a, ", uint32(6), uint32(17))
	f.Add(head+"  destination: {na", uint32(4), uint32(18))
	f.Add("a: &a [*a]\n---\n\"é😀", uint32(2), uint32(3))
	f.Add("- - - ? x\n  : |\n", uint32(0), uint32(5))
	f.Fuzz(func(t *testing.T, text string, line, character uint32) {
		if len(text) > 1<<10 {
			return
		}
		guard.Run(t, 256<<20, func() {
			doc := protocol.NewText([]byte(text))
			c, ok := cursorAt(doc, protocol.Position{Line: line, Character: character}, protocol.UTF16)
			if !ok {
				return
			}
			if c.start < 0 || c.start > c.end || c.end > len(text) {
				t.Fatalf("bytes %d to %d of %d are replaced", c.start, c.end, len(text))
			}
			for _, o := range c.offers(nil) {
				if strings.Contains(c.insert(o, doc), mark) {
					t.Fatalf("%q is offered", o.text)
				}
			}
		})
	})
}

// Whatever an editor says once it has begun: the server has no defect, and ends.
func FuzzConversation(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"untitled:a","version":1,"text":"kind: x"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":7,"method":"textDocument/completion","params":{"textDocument":{"uri":"untitled:a"},"position":{"line":0,"character":6}}}`)
	f.Add(`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"b"},"contentChanges":[{"range":{"start":{"line":9},"end":{"line":0}},"text":"x"}]}}`)
	f.Add(`{"jsonrpc":"2.0","id":"x","method":"textDocument/hover"}` + "\n" + `{"id":null,"result":1}` + "\n[]\n{}")
	f.Fuzz(func(t *testing.T, lines string) {
		if len(lines) > 1<<12 || strings.Contains(lines, "file:") { // it would look at the disk
			return
		}
		var in bytes.Buffer
		for _, body := range append([]string{`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`, `{"jsonrpc":"2.0","method":"initialized","params":{}}`}, strings.Split(lines, "\n")...) {
			fmt.Fprintf(&in, "Content-Length: %d\r\n\r\n%s", len(body), body)
		}
		guard.Run(t, 4<<30, func() {
			Serve(context.Background(), &in, io.Discard, Options{Log: defects{t}})
		})
	})
}

// defects fails a test that the server has a defect in.
type defects struct{ t *testing.T }

func (d defects) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("defect")) {
		d.t.Errorf("%s", b)
	}
	return len(b), nil
}
