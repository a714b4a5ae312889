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
	jobs, found := plan(tree)
	rendered, lib := renderings(tree)
	jobs = append(jobs, rendered...)
	results := make([]result, len(jobs))
	spread(len(jobs), func(i int) { results[i] = jobs[i].run() })

	files := &Files{Config: &Config{}, lib: lib}
	for i := range results {
		r := &results[i]
		found.Add(r.found...)
		files.Objects = append(files.Objects, r.objects...)
		files.Tables = append(files.Tables, r.tables...)
		files.Passed += r.passed
		switch o := files.Config.Object; {
		case r.config == nil:
		case o == nil:
			files.Config = r.config
		default:
			found.Add(diag.New("MSH0120", r.config.Object.At("kind"), "meshc.yaml holds two meshes").
				WithRelated(o.At("kind"), "this one counts").
				WithHelp("give each mesh a folder and a meshc.yaml of its own"))
		}
	}
	sortObjects(files.Objects)
	found.Add(duplicates(files.Objects)...)
	return files, files.WithBases(found).Sorted()
}

// job is the work of one document (or of one rendered object).
type job struct {
	tree      *source.Tree
	doc       *source.Document
	namespace string // default namespace of the source
	tables    bool   // read verdict tables only
	config    bool   // the document is in the meshc.yaml that rules the run
	rendered  *rendering
}

// result is what came of a job.
type result struct {
	objects []*Object
	tables  []*VerdictTable
	config  *Config
	passed  int
	found   diag.List
}

// plan cleans and splits all files, in parallel, and lists the documents in order.
func plan(tree *source.Tree) ([]job, diag.List) {
	files := tree.Files
	if tree.Config != nil {
		files = append([]*source.File{tree.Config}, files...)
	}
	parts := make([][]job, len(files))
	faults := make([]diag.List, len(files))
	spread(len(files), func(i int) {
		f := files[i]
		text, found := source.Clean(f.Path, f.Data)
		docs, tooMany := source.Split(f.Path, text, tree.Limits.Documents)
		faults[i] = append(found, tooMany...)
		for _, doc := range docs {
			parts[i] = append(parts[i], job{
				tree: tree, doc: doc, namespace: f.Namespace,
				tables: f.TablesOnly, config: f == tree.Config,
			})
		}
	})
	var jobs []job
	var found diag.List
	for i := range parts {
		jobs = append(jobs, parts[i]...)
		found.Add(faults[i]...)
	}
	return jobs, found
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
	slices.SortStableFunc(objects, func(a, b *Object) int {
		if c := cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name)); c != 0 {
			return c
		}
		x, y := a.At(), b.At()
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col))
	})
}

// duplicates reports objects of one group, kind, namespace and name, at both ends.
func duplicates(objects []*Object) diag.List {
	first := make(map[diag.Object]*Object, len(objects))
	var found diag.List
	for _, o := range objects {
		if o.Name == "" {
			continue
		}
		ref := o.Ref()
		prior, twice := first[ref]
		if !twice {
			first[ref] = o
			continue
		}
		here, there := o.At("metadata", "name"), prior.At("metadata", "name")
		found.Add(diag.New("MSH0109", here, "%s is written twice", ref).
			WithLabel("here it is again").
			WithRelated(there, "it is already here").
			WithEffect("in a cluster the later one would silently replace the earlier one").
			WithHelp("delete one of the two, or rename it").
			About(ref, "metadata.name"))
		found.Add(diag.New("MSH0109", there, "%s is written twice", ref).
			WithLabel("here it is first").
			WithRelated(here, "here it is again").
			WithEffect("in a cluster the later one would silently replace the earlier one").
			WithHelp("delete one of the two, or rename it").
			About(ref, "metadata.name"))
		prior.Invalid, o.Invalid = true, true
	}
	return found
}
