package lsp

import (
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/meshc/meshc/lsp/protocol"
)

// document is what an editor shows of a file, saved or not.
type document struct {
	uri     string
	version int32
	text    *protocol.Text
}

// documents are those that are open, by key: the path of a file, else the URI.
type documents struct {
	mu      sync.Mutex
	open    map[string]*document
	changed int // how often one was opened or closed
}

// changes tells how often documents were opened and closed, and so spelt otherwise.
func (d *documents) changes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *documents) get(key string) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open[key]
}

func (d *documents) set(key string, doc *document) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if had := d.open[key]; had == nil || had.uri != doc.uri {
		d.changed++
	}
	d.open[key] = doc
}

func (d *documents) close(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed++
	delete(d.open, key)
}

// all are the documents as they are now; none of them changes.
func (d *documents) all() map[string]*document {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]*document, len(d.open))
	for key, doc := range d.open {
		out[key] = doc
	}
	return out
}

func (s *server) didOpen(p *protocol.DidOpen) {
	t := p.TextDocument
	key := keyOf(t.URI)
	s.docs.set(key, &document{uri: t.URI, version: t.Version, text: protocol.NewText([]byte(t.Text))})
	s.work.touch(key)
}

func (s *server) didChange(p *protocol.DidChange) {
	key := keyOf(p.TextDocument.URI)
	doc := s.docs.get(key)
	if doc == nil {
		doc = &document{uri: p.TextDocument.URI, text: protocol.NewText(nil)}
	}
	text := doc.text
	for _, c := range p.ContentChanges {
		text = text.Apply(c, s.encoding)
	}
	s.docs.set(key, &document{uri: doc.uri, version: p.TextDocument.Version, text: text})
	s.work.touch(key)
}

// didSave changes nothing that was not known, but for what watches tell: editors
// without them save.
func (s *server) didSave(p *protocol.DocumentParams) { s.work.touch(keyOf(p.TextDocument.URI)) }

// didClose goes back to what is on disk.
func (s *server) didClose(p *protocol.DocumentParams) {
	key := keyOf(p.TextDocument.URI)
	s.docs.close(key)
	s.work.reload()
}

func (s *server) didChangeFiles(p *protocol.FilesChange) {
	for _, c := range p.Changes {
		if s.docs.get(keyOf(c.URI)) == nil { // of an open one the editor's text counts
			s.work.reload()
			return
		}
	}
}

func (s *server) didChangeFolders(p *protocol.FoldersChange) {
	paths := func(folders []protocol.Folder) []string {
		var out []string
		for _, f := range folders {
			if path, ok := pathOf(f.URI); ok {
				out = append(out, path)
			}
		}
		return out
	}
	s.work.setFolders(paths(p.Event.Added), paths(p.Event.Removed))
	s.work.reload()
}

// keyOf is one key for every spelling of a file's URI.
func keyOf(uri string) string {
	if path, ok := pathOf(uri); ok {
		return path
	}
	return uri
}

// pathOf is the path of a file's URI; ok is false for what is no file.
func pathOf(uri string) (path string, ok bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || u.Path == "" {
		return "", false
	}
	name := u.Path
	if runtime.GOOS == "windows" {
		if len(name) > 2 && name[0] == '/' && name[2] == ':' {
			name = strings.ToUpper(name[1:2]) + name[2:]
		}
		if u.Host != "" {
			name = "//" + u.Host + name
		}
	}
	return filepath.Clean(filepath.FromSlash(name)), true
}

// uriOf is the URI of a path.
func uriOf(path string) string {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return (&url.URL{Scheme: "file", Path: name}).String()
}
