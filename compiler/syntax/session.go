package syntax

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// Session decodes trees that follow each other, and single objects that take the
// place of those of a tree. Documents that stay as they are are not read again.
type Session struct {
	tree   *source.Tree
	lib    *library
	config *Config
	files  []*parsed // in the order of the tree; the last are kustomizations and single objects
	named  map[Name][]placed
	order  []Name // of named, as names last gave it
	home   map[*decoded]*parsed
	owners map[Name]*parsed          // of names that single objects took; one that is nowhere: deleted
	shown  map[*parsed]*diag.Section // of files with documents that do not count
	twice  map[Name]*diag.List
	double *diag.Section      // about names that several objects have
	whole  *diag.Section      // about several files
	marked *diag.Section      // about comments that are waivers
	waived map[Name][]*Object // objects of kind Waivers

	tentative bool
	undo      []func()
}

// Name names objects without their version. The kinds of the mesh are unlike in
// name whatever their group, so kind is enough.
type Name struct{ Kind, Namespace, Name string }

// NameOf is the name of an object.
func NameOf(o *Object) Name { return Name{o.Kind, o.Namespace, o.Name} }

// Edit is what an edit did to the objects: the names whose objects became others,
// with all their objects now, in order of position.
type Edit map[Name][]*Object

// NewSession starts with an empty tree.
func NewSession() *Session {
	return &Session{
		tree: source.FromMap(nil), config: &Config{}, named: map[Name][]placed{}, home: map[*decoded]*parsed{},
		owners: map[Name]*parsed{}, shown: map[*parsed]*diag.Section{}, twice: map[Name]*diag.List{},
		double: &diag.Section{}, whole: &diag.Section{}, marked: &diag.Section{}, waived: map[Name][]*Object{},
	}
}

// Config is what meshc.yaml says; it is never nil. As long as it says the same in
// the same place it is the same value.
func (s *Session) Config() *Config { return s.config }

// Findings are all findings, in sections that stay the same while what they are
// about does.
func (s *Session) Findings() []*diag.Section {
	out := []*diag.Section{s.whole, s.double, s.marked}
	for _, f := range s.files {
		if shown, ok := s.shown[f]; ok {
			out = append(out, shown)
		} else {
			out = append(out, f.found)
		}
	}
	return out
}

// Files are the objects and tables as they are now.
func (s *Session) Files() *Files {
	out := &Files{Config: s.config, lib: s.lib}
	for _, name := range s.names() {
		objects, _ := duplicates(s.visible(name))
		out.Objects = append(out.Objects, objects...)
	}
	if !slices.IsSortedFunc(out.Objects, compareObjects) {
		sortObjects(out.Objects)
	}
	out.Tables, out.Waivers, out.Passed = s.Tables(), s.Waivers(), s.Passed()
	for _, f := range s.files {
		for _, d := range f.docs {
			out.Contracts = append(out.Contracts, d.contracts...)
		}
	}
	return out
}

// Written are the objects of a file of the tree, in the order written.
func (s *Session) Written(path string) []*Object {
	var out []*Object
	for _, f := range s.files {
		if f.file == nil || f.single || f.file.Path != path {
			continue
		}
		for _, d := range f.docs {
			out = append(out, d.objects...)
		}
	}
	return out
}

// names are the names of all objects in order; most edits leave them as they are.
func (s *Session) names() []Name {
	gone := func(n Name) bool { _, ok := s.named[n]; return !ok }
	if len(s.order) != len(s.named) || slices.ContainsFunc(s.order, gone) {
		s.order = slices.AppendSeq(make([]Name, 0, len(s.named)), maps.Keys(s.named))
		slices.SortFunc(s.order, func(a, b Name) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
	}
	return s.order
}

// All are the objects of every name.
func (s *Session) All() Edit {
	edit := make(Edit, len(s.named))
	for name := range s.named {
		edit[name], _ = duplicates(s.visible(name))
	}
	return edit
}

// Named are the objects of a name.
func (s *Session) Named(name Name) []*Object {
	out, _ := duplicates(s.visible(name))
	return out
}

// WithBases is Files.WithBases of the objects as they are now.
func (s *Session) WithBases(found diag.List) diag.List {
	return (&Files{lib: s.lib}).WithBases(found)
}

// Tables are the verdict tables in order of position.
func (s *Session) Tables() []*VerdictTable {
	var out []*VerdictTable
	for _, f := range s.files {
		out = append(out, f.tables...)
	}
	return out
}

// Passed counts the documents of kinds that the mesh does not read, Objects those
// that it does.
func (s *Session) Passed() int {
	n := 0
	for _, f := range s.files {
		n += f.passed
	}
	return n
}

// Objects counts the objects that were read.
func (s *Session) Objects() int {
	n := 0
	for _, f := range s.files {
		n += f.objects
	}
	for name := range s.owners {
		n -= len(s.named[name]) - len(s.visible(name))
	}
	return n
}

// Read goes on to another tree, which nobody changes any more.
func (s *Session) Read(tree *source.Tree) Edit {
	before := map[string]*parsed{}
	var single []*parsed
	for _, f := range s.files {
		if f.single {
			single = append(single, f)
		} else if f.file != nil {
			before[f.file.Path] = f
		}
	}
	again := tree.Environment != s.tree.Environment || tree.Limits != s.tree.Limits
	files := tree.Files
	if tree.Config != nil {
		files = append([]*source.File{tree.Config}, files...)
	}
	next := make([]*parsed, len(files), len(files)+1+len(single))
	spread(len(files), func(i int) {
		f := files[i]
		old := before[f.Path]
		if again && old != nil {
			old = &parsed{}
		}
		next[i] = old.follow(tree, f)
	})
	built, lib := s.render(tree, !again)
	if built != nil {
		next = append(next, built)
	}
	decode(next)
	s.tree, s.lib = tree, lib
	edit := s.place(append(next, single...))
	s.readConfig()
	s.judgeRemarks()
	return edit
}

// render makes the objects of kustomizations, anew unless the tree has the same
// ones: they depend on files of the tree in ways that only kustomize knows.
func (s *Session) render(tree *source.Tree, keep bool) (*parsed, *library) {
	if len(tree.Builds) == 0 {
		return nil, nil
	}
	if keep && tree.SameBuilds(s.tree) {
		for _, f := range s.files {
			if f.file == nil && !f.single {
				return f, s.lib
			}
		}
	}
	jobs, lib := renderings(tree)
	p := &parsed{remarks: remarksOfBases(tree)}
	for i := range jobs {
		p.docs = append(p.docs, &decoded{job: jobs[i]})
	}
	return p, lib
}

// readConfig finds the configuration among the documents of meshc.yaml.
func (s *Session) readConfig() {
	config, whole := &Config{}, diag.List{}
	for _, f := range s.files {
		for _, d := range f.docs {
			switch o := config.Object; {
			case d.config == nil:
			case o == nil:
				config = d.config
			default:
				whole.Add(diag.New("MSH0120", d.config.Object.At("kind"), "meshc.yaml holds two meshes").
					WithRelated(o.At("kind"), "this one counts").
					WithHelp("give each mesh a folder and a meshc.yaml of its own"))
			}
		}
	}
	if config.Object == nil && s.config.Object == nil {
		return
	}
	if config != s.config || len(whole) > 0 || len(s.whole.Batches) > 0 {
		s.config, s.whole = config, &diag.Section{Batches: []*diag.List{&whole}}
	}
}

// sameFile tells whether a file says the same in the same circumstances.
func sameFile(a, b *source.File) bool {
	return a == b || a != nil && b != nil && a.Path == b.Path && a.Namespace == b.Namespace &&
		a.TablesOnly == b.TablesOnly && bytes.Equal(a.Data, b.Data)
}

func comparePositions(a, b *Object) int {
	x, y := a.At(), b.At()
	return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col))
}
