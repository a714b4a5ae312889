package syntax

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// placed is an object and the document it stands in.
type placed struct {
	*Object
	doc *decoded
}

// place makes the files others, puts their objects under their names, and gives
// the names whose objects became others.
func (s *Session) place(files []*parsed) Edit {
	came := map[*parsed]bool{}
	documents := 0
	for _, f := range files {
		came[f] = true
		documents += len(f.docs)
	}
	if len(s.named) == 0 && len(s.home) == 0 { // they grow at once to what they will be
		s.named, s.home = make(map[Name][]placed, documents), make(map[*decoded]*parsed, documents)
	}
	touched := make(map[Name]bool, max(documents-len(s.home), 0))
	gone := map[*decoded]bool{}
	for _, f := range s.files {
		if came[f] {
			delete(came, f)
			continue
		}
		delete(s.shown, f)
		for _, d := range f.docs {
			gone[d] = true
		}
	}
	s.files = files
	for _, f := range files {
		if !came[f] {
			continue
		}
		for _, d := range f.docs {
			if s.home[d] = f; gone[d] {
				delete(gone, d) // it stays, in what the file has become
			} else {
				s.insert(d, touched)
			}
		}
	}
	for d := range gone {
		delete(s.home, d)
		s.remove(d, touched)
	}
	for f := range came {
		s.show(f)
	}
	return s.settle(touched)
}

func (s *Session) insert(d *decoded, touched map[Name]bool) {
	for _, o := range d.objects {
		n := NameOf(o)
		touched[n] = true
		all := append(slices.Clone(s.named[n]), placed{o, d})
		slices.SortStableFunc(all, func(a, b placed) int { return comparePositions(a.Object, b.Object) })
		put(s, s.named, n, all)
	}
}

func (s *Session) remove(d *decoded, touched map[Name]bool) {
	for _, o := range d.objects {
		n := NameOf(o)
		touched[n] = true
		all := slices.DeleteFunc(slices.Clone(s.named[n]), func(p placed) bool { return p.Object == o })
		if len(all) > 0 {
			put(s, s.named, n, all)
		} else {
			drop(s, s.named, n)
		}
	}
}

// settle gives the objects of names as they count now, and finds names that
// several have.
func (s *Session) settle(touched map[Name]bool) Edit {
	edit, doubled := make(Edit, len(touched)), false
	for n := range touched {
		objects, found := duplicates(s.visible(n))
		edit[n] = objects
		if n.Kind == "Waivers" {
			put(s, s.waived, n, objects)
		}
		if _, was := s.twice[n]; len(found) > 0 {
			put(s, s.twice, n, &found)
			doubled = true
		} else if was {
			drop(s, s.twice, n)
			doubled = true
		}
	}
	if doubled {
		before := s.double
		s.onUndo(func() { s.double = before })
		s.double = &diag.Section{Batches: slices.Collect(maps.Values(s.twice))}
	}
	return edit
}

// visible are the objects of a name: where a single object took it, that alone.
func (s *Session) visible(n Name) []*Object {
	var out []*Object
	for _, p := range s.named[n] {
		if !s.hidden(n, p.doc) {
			out = append(out, p.Object)
		}
	}
	return out
}

// hidden tells whether a single object has taken the place of a document's object.
func (s *Session) hidden(n Name, d *decoded) bool {
	owner, taken := s.owners[n]
	return taken && s.home[d] != owner
}

// Put makes an object what a document says, wherever the tree has it. The name is
// that of a file in findings, and a document put again under it replaces the one
// before. Without a document the object of that kind and name is gone.
func (s *Session) Put(name string, data []byte, object Name) Edit {
	file := &parsed{single: true, found: &diag.Section{}}
	if data != nil {
		file = (*parsed)(nil).follow(s.tree, &source.File{Path: name, Data: data})
		file.single = true
		decode([]*parsed{file})
	}
	before, touched := s.files, map[Name]bool{}
	s.onUndo(func() { s.files = before })
	s.files = make([]*parsed, 0, len(before)+1)
	for _, f := range before {
		if !f.single || f.file.Path != name {
			s.files = append(s.files, f)
			continue
		}
		for _, d := range f.docs {
			s.remove(d, touched)
			drop(s, s.home, d)
		}
	}
	if data != nil {
		s.files = append(s.files, file)
	}
	for _, d := range file.docs {
		put(s, s.home, d, file)
		s.insert(d, touched)
	}
	if object.Kind != "" {
		touched[object] = true
	}
	for n := range touched {
		if len(s.named[n]) == 0 {
			drop(s, s.owners, n)
			continue
		}
		put(s, s.owners, n, file)
		for _, p := range s.named[n] {
			s.show(s.home[p.doc])
		}
	}
	return s.settle(touched)
}

// show leaves out the findings about documents whose objects single ones replace.
func (s *Session) show(f *parsed) {
	if len(s.owners) == 0 || f.single {
		return
	}
	hidden := func(d *decoded) bool {
		return len(d.objects) > 0 && !slices.ContainsFunc(d.objects, func(o *Object) bool { return !s.hidden(NameOf(o), d) })
	}
	if slices.ContainsFunc(f.docs, hidden) {
		put(s, s.shown, f, f.sections(hidden))
	} else {
		drop(s, s.shown, f)
	}
}

// put and drop change a map so that Undo can take it back.
func put[K comparable, V any](s *Session, m map[K]V, k K, v V) {
	drop(s, m, k)
	m[k] = v
}

func drop[K comparable, V any](s *Session, m map[K]V, k K) {
	if s.tentative {
		before, was := m[k]
		s.undo = append(s.undo, func() {
			if delete(m, k); was {
				m[k] = before
			}
		})
	}
	delete(m, k)
}

func (s *Session) onUndo(f func()) {
	if s.tentative {
		s.undo = append(s.undo, f)
	}
}

// Try makes the edits tentative that follow, until Undo takes them back.
func (s *Session) Try() { s.tentative = true }

// Undo takes back the edits since Try.
func (s *Session) Undo() {
	for _, f := range slices.Backward(s.undo) {
		f()
	}
	s.undo, s.tentative = nil, false
}
