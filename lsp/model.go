package lsp

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/lsp/protocol"
)

// model is a mesh as it was compiled once, and what was found in it. It does not
// change; what it is asked for later is made when it is first wanted.
type model struct {
	project *project
	tree    *source.Tree
	lock    lockFile
	result  *compiler.Result
	found   diag.List // sorted
	// good is what files held, that cannot be parsed now, when they could be.
	good map[string]past

	texts *texts
	mu    sync.Mutex
	files *syntax.Files // nil: not decoded

	once  sync.Once
	names *index
}

// past is what a file held when all of it could be read last.
type past struct {
	text    *protocol.Text
	objects []*syntax.Object
}

func (p *project) newModel(result *compiler.Result, found diag.List) *model {
	m := &model{project: p, tree: p.tree, result: result, texts: &p.texts, good: map[string]past{}}
	if p.model != nil {
		m.lock = p.model.lock
	}
	if len(p.loaded) > 0 {
		found = append(slices.Clone(found), p.loaded...).Sorted()
	}
	m.found = found
	for i := range found {
		if len(p.past) == 0 {
			break
		}
		name := found[i].At().File
		if last, ok := p.past[name]; ok && unparsed[found[i].Code] {
			m.good[name] = last
		}
	}
	return m
}

// remember keeps what files hold that are about to hold something else.
func (p *project) remember(touched []string) {
	if p.model == nil {
		return
	}
	for _, key := range touched {
		name, ok := p.name(key)
		if _, broken := p.model.good[name]; !ok || broken || !p.model.holds(name) {
			continue
		}
		if !slices.ContainsFunc(p.model.found, func(f diag.Finding) bool { return unparsed[f.Code] && f.At().File == name }) {
			p.past[name] = past{p.model.text(name), p.session.Written(name)}
		}
	}
}

// unparsed are the findings of documents that nothing was read of.
var unparsed = map[diag.Code]bool{"MSH0040": true}

// decode keeps the objects of a model while its session is still there.
func (m *model) decode(s *compiler.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil && s != nil {
		m.files = s.Files()
	}
}

// holds tells whether a file is a part of the mesh.
func (m *model) holds(name string) bool {
	_, ok := m.data(name)
	return ok
}

// data is what a file held.
func (m *model) data(name string) ([]byte, bool) {
	if data, ok := m.tree.Text(name); ok {
		return data, true
	}
	return m.lock.data, name == m.lock.name && m.lock.data != nil
}

// text is what a file held, with its lines counted; nil for a file that is not
// the mesh's, such as a rule that is compiled in.
func (m *model) text(name string) *protocol.Text {
	data, ok := m.data(name)
	if !ok {
		return nil
	}
	return m.texts.of(name, data)
}

// texts are files with their lines counted, as they were asked for last.
type texts struct {
	mu    sync.Mutex
	known map[string]*protocol.Text
}

func (t *texts) of(name string, data []byte) *protocol.Text {
	t.mu.Lock()
	defer t.mu.Unlock()
	if had := t.known[name]; had != nil && sameBytes(had.Data, data) {
		return had
	}
	if t.known == nil {
		t.known = map[string]*protocol.Text{}
	}
	t.known[name] = protocol.NewText(data)
	return t.known[name]
}

// sameBytes tells whether two texts are the very same, without reading them.
func sameBytes(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// span is the range of a span in its file; a point is made as wide as the word at
// it, and a span of a whole file is its first line.
func (m *model) span(at diag.Span, e protocol.Encoding) protocol.Range {
	t := m.text(at.File)
	if t == nil {
		return protocol.Range{}
	}
	start := t.At(max(at.Line, 1), max(at.Col, 1), e)
	end := start
	if at.EndLine > 0 {
		end = t.At(at.EndLine, at.EndCol, e)
	}
	if !start.Before(end) {
		offset := t.Offset(start, e)
		line := t.Line(int(start.Line))
		rest := string(line[min(len(line), offset-t.Offset(protocol.Position{Line: start.Line}, e)):])
		width := strings.IndexAny(rest, " \t,")
		if width <= 0 {
			width = len(rest)
		}
		end = t.Position(offset+width, e)
	}
	return protocol.Range{Start: start, End: end}
}

// location is where a span stands, as editors name it; ok is false when no
// document has it.
func (m *model) location(at diag.Span, s *server) (protocol.Location, bool) {
	if m.text(at.File) == nil {
		return protocol.Location{}, false
	}
	return protocol.Location{URI: s.uri(m.project.key(at.File)), Range: m.span(at, s.encoding)}, true
}

// uri is a document's, in the editor's own spelling where it is open.
func (s *server) uri(key string) string {
	if doc := s.docs.get(key); doc != nil {
		return doc.uri
	}
	if strings.Contains(key, ":") && !filepath.IsAbs(key) {
		return key
	}
	return uriOf(key)
}
