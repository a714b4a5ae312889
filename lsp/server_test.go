package lsp_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshc/meshc/lsp"
	"github.com/meshc/meshc/lsp/lsptest"
	"github.com/meshc/meshc/lsp/protocol"
)

// journal is a log that several write to.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (e *editor) refused(method string, params any, code int) {
	e.t.Helper()
	err, ok := e.Answer(e.Ask(method, params), nil).(*lsptest.Error)
	if !ok || err.Code != code {
		e.t.Errorf("%s is answered with %v, not with code %d", method, err, code)
	}
}

func TestTheConversationHasABeginningAndAnEnd(t *testing.T) {
	e := edit(t, t.TempDir(), lsp.Options{})
	e.refused("textDocument/hover", nil, -32002)
	e.begin()
	e.refused("initialize", nil, -32600)
	e.refused("textDocument/nothing", nil, -32601)
	e.refused("textDocument/hover", []int{1}, -32602)
	e.Raw("Content-Length: 3\r\n\r\n{{{")
	if err := e.Refused(); err.Code != -32700 {
		t.Errorf("what nobody can read is answered with %v", err)
	}
	e.Call("shutdown", nil, nil)
	e.refused("textDocument/hover", nil, -32600)
	e.Notify("exit", nil)
	if !<-e.ended {
		t.Error("the end was no good one")
	}
	e = edit(t, t.TempDir(), lsp.Options{})
	e.begin()
	e.Notify("exit", nil)
	if <-e.ended {
		t.Error("who goes away without a goodbye is said to have gone as they should")
	}
}

// A defect ends one answer, not the conversation, and the next change starts anew.
func TestADefectDoesNotEndTheServer(t *testing.T) {
	var broken atomic.Bool
	log := &journal{}
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{Log: log, Now: func() time.Time {
		if broken.Load() {
			panic("the clock is broken")
		}
		return today()
	}})
	e.begin()
	e.open(policyFile)
	e.Diagnostics(e.uri(policyFile), "what the example has", has("MSH1506"))
	broken.Store(true)
	e.replace(policyFile, "[buy-a-book,", "[buy-a-bok,")
	// Who asks may come after the loop, which has met the defect already.
	_ = e.Answer(e.Ask("textDocument/hover", e.place(policyFile, "kind: Traffic|Target")), nil)
	broken.Store(false)
	e.replace(policyFile, "buy-a-bok,", "buy-a-boook,")
	e.Diagnostics(e.uri(policyFile), "a match that is not there", has("MSH1005"))
	if !strings.Contains(log.String(), "the clock is broken") {
		t.Errorf("nobody is told of the defect: %q", log)
	}
	if !e.end() {
		t.Error("the end was no good one")
	}
}

func TestARequestThatNobodyWaitsForEnds(t *testing.T) {
	busy, done := make(chan struct{}, 9), make(chan struct{})
	var block atomic.Bool
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{Now: func() time.Time {
		if block.Load() {
			busy <- struct{}{}
			<-done
		}
		return today()
	}})
	e.begin()
	e.open(policyFile)
	e.Diagnostics(e.uri(policyFile), "what the example has", has("MSH1506"))
	block.Store(true)
	e.replace(policyFile, "[buy-a-book,", "[buy-a-bok,")
	<-busy // the mesh is being compiled
	id := e.Ask("textDocument/hover", e.place(policyFile, "kind: Traffic|Target"))
	e.Notify("$/cancelRequest", map[string]int{"id": id})
	if err, ok := e.Answer(id, nil).(*lsptest.Error); !ok || err.Code != -32800 {
		t.Errorf("the answer is %v", err)
	}
	block.Store(false)
	close(done)
	e.Diagnostics(e.uri(policyFile), "a match that is not there", has("MSH1005"))
}

func TestFindingsWaitUntilNothingIsTyped(t *testing.T) {
	quiet := make(chan time.Time)
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{Quiet: func() <-chan time.Time { return quiet }})
	e.begin()
	e.open(policyFile)
	e.replace(policyFile, "[buy-a-book,", "[buy-a-bo,")
	e.replace(policyFile, "[buy-a-bo,", "[buy-a-b,")
	if got := e.hover(policyFile, "kind: Traffic|Target"); !strings.Contains(got, "bookbuyer-access") {
		t.Errorf("questions are answered at once, not with %q", got)
	}
	if told := e.Heard("textDocument/publishDiagnostics"); len(told) > 0 {
		t.Errorf("%s was told while something was typed", told)
	}
	quiet <- today()
	e.Diagnostics(e.uri(policyFile), "a match that is not there", has("MSH1005"))
	for _, raw := range e.Heard("textDocument/publishDiagnostics") {
		var p protocol.PublishDiagnostics
		if err := json.Unmarshal(raw, &p); err != nil || p.URI == e.uri(policyFile) && *p.Version != 3 {
			t.Errorf("version %d was judged, which nobody left standing (%v)", *p.Version, err)
		}
	}
}

// Compiled once a test of the built program needs it.
func TestTheProgramServesAnEditor(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "meshc")
	build := exec.Command("go", "build", "-o", bin, "../cmd/meshc")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := copyOf(t, "01-bookstore")
	cmd := exec.Command(bin, "lsp", "--stdio")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	e := &editor{t: t, dir: dir, texts: map[string]*protocol.Text{}, vers: map[string]int32{}, Client: lsptest.New(t, out, in)}
	e.begin()
	e.open(policyFile)
	e.replace(policyFile, "methods: [POST]", "methods: [Post]")
	e.Diagnostics(e.uri(policyFile), "a method in lower case", has("MSH0115"))
	if got := e.hover(policyFile, "kind: Traffic|Split"); !strings.Contains(got, "bookstore-v2") {
		t.Errorf("hover: %s", got)
	}
	if got := e.lines("textDocument/definition", e.place(policyFile, "matches: [buy-a-|book")); len(got) != 1 {
		t.Errorf("definition: %v", got)
	}
	if got := e.lines("textDocument/references", e.place(policyFile, "- name: books-|bought")); len(got) != 2 {
		t.Errorf("references: %v", got)
	}
	if labels, _ := e.complete(policyFile, "matches: [buy-a-book, |", "update-books-bought"); len(labels) != 3 {
		t.Errorf("completion: %v", labels)
	}
	for _, a := range e.actions(policyFile, "methods: [Po|st]") {
		if a.IsPreferred {
			e.apply(a.Edit)
		}
	}
	e.Diagnostics(e.uri(policyFile), "nothing", lacks("MSH0115"))
	e.Call("shutdown", nil, nil)
	e.Notify("exit", nil)
	e.Ended()
	if err := cmd.Wait(); err != nil {
		t.Errorf("after shutdown and exit: %v", err)
	}
	cut := exec.Command(bin, "lsp")
	cut.Stdin, cut.Stdout = strings.NewReader(""), io.Discard
	if err := cut.Run(); err == nil || cut.ProcessState.ExitCode() != 1 {
		t.Errorf("an editor that goes away makes the exit code %d", cut.ProcessState.ExitCode())
	}
}
