package syntax

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// Files is what a tree says, decoded.
type Files struct {
	// Config is never nil; without a meshc.yaml it is empty.
	Config *Config
	// Objects are in order of kind, namespace, name and position.
	Objects []*Object
	// Tables are the verdict tables, in order of position.
	Tables []*VerdictTable
	// Contracts are what policies rely on, in order of position. They say nothing
	// of this mesh: a compilation does not read them.
	Contracts []*Contract
	// Waivers are those of meshc.yaml, of files and of comments.
	Waivers []Waiver
	// Passed counts the documents of kinds that the mesh does not read.
	Passed int

	lib *library
}

// WithBases adds, to each finding that points into a patch, the line of the base
// that the patch changed.
func (f *Files) WithBases(found diag.List) diag.List {
	if f.lib == nil {
		return found
	}
	f.lib.mu.Lock()
	defer f.lib.mu.Unlock()
	out := slices.Clone(found)
	for i := range out {
		if out[i].Object == nil {
			continue
		}
		base, ok := f.lib.bases[patched{out[i].At(), out[i].Object.Kind, out[i].Object.Name}]
		related := diag.Location{Span: base, Label: "the base says this"}
		if ok && !slices.Contains(out[i].Related, related) {
			out[i] = out[i].WithRelated(related.Span, related.Label)
		}
	}
	return out
}

// Parse decodes every document of a tree. Objects with faults are kept, marked
// Invalid; the findings hold the faults. Equal trees give equal results whatever
// the order in which their files were found.
func Parse(tree *source.Tree) (*Files, diag.List) {
	s := NewSession()
	s.Read(tree)
	files := s.Files()
	return files, files.WithBases(diag.All(s.Findings())).Sorted()
}

// job is the work of one document (or of one rendered object).
type job struct {
	tree      *source.Tree
	doc       *source.Document
	namespace string // default namespace of the source
	tables    bool   // read verdict tables only
	config    bool   // the document is in the meshc.yaml that rules the run
	rendered  *rendering
	cursors   *cursors // nil: none is used twice
}

// result is what came of a job.
type result struct {
	objects []*Object
	tables  []*VerdictTable
	config  *Config
	remarks []remark
	passed  int
	found   diag.List

	contracts []*Contract
}

// spread runs n independent pieces of work on all processors.
func spread(n int, work func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				work(int(i))
			}
		})
	}
	wg.Wait()
}

func sortObjects(objects []*Object) {
	slices.SortStableFunc(objects, compareObjects)
}

// compareObjects orders by kind, namespace, name and position.
func compareObjects(a, b *Object) int {
	if c := cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name)); c != 0 {
		return c
	}
	x, y := a.At(), b.At()
	return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col))
}

// duplicates gives the objects of one name, in order of position, as they count:
// those of one group are an error at both ends, and marked in copies.
func duplicates(objects []*Object) ([]*Object, diag.List) {
	if len(objects) < 2 || objects[0].Name == "" {
		return objects, nil
	}
	first := make(map[diag.Object]int, len(objects))
	out := slices.Clone(objects)
	var found diag.List
	for i, o := range objects {
		ref := o.Ref()
		prior, twice := first[ref]
		if !twice {
			first[ref] = i
			continue
		}
		found.Add(reportTwice(ref, objects[prior], o)...)
		for _, at := range []int{prior, i} {
			own := *objects[at]
			own.Invalid = true
			out[at] = &own
		}
	}
	return out, found
}

func reportTwice(ref diag.Object, prior, o *Object) diag.List {
	here, there := o.At("metadata", "name"), prior.At("metadata", "name")
	say := func(at, other diag.Span, label, related string) diag.Finding {
		return diag.New("MSH0109", at, "%s is written twice", ref).
			WithLabel(label).
			WithRelated(other, related).
			WithEffect("in a cluster the later one would silently replace the earlier one").
			WithHelp("delete one of the two, or rename it").
			About(ref, "metadata.name")
	}
	return diag.List{
		say(here, there, "here it is again", "it is already here"),
		say(there, here, "here it is first", "here it is again"),
	}
}
