package syntax

import (
	"bytes"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// parsed is a file as it was decoded; what kustomizations rendered is one without
// a file. It is not changed once it is placed.
type parsed struct {
	file   *source.File
	config bool
	single bool // a single object
	faults diag.List
	docs   []*decoded

	found           *diag.Section
	tables          []*VerdictTable
	remarks         []remark
	passed, objects int
}

// decoded is a document and what came of it.
type decoded struct {
	job  job
	done bool
	result
}

// follow reads a file that takes the place of one that was decoded (nil: of
// none), and takes over what stayed the same.
func (p *parsed) follow(tree *source.Tree, f *source.File) *parsed {
	config := f == tree.Config
	if p != nil && sameFile(p.file, f) && p.config == config {
		return p
	}
	out := &parsed{file: f, config: config}
	text, faults := source.Clean(f.Path, f.Data)
	docs, tooMany := source.Split(f.Path, text, tree.Limits.Documents)
	out.faults = append(faults, tooMany...)
	if !f.TablesOnly && !config {
		out.remarks = strays(f.Path, text, docs)
	}
	known := p.byText(f, config)
	for _, doc := range docs {
		j := job{tree: tree, doc: doc, namespace: f.Namespace, tables: f.TablesOnly, config: config}
		d := known.take(doc)
		if d == nil {
			if p != nil { // it may outlive the rest of this text by far
				doc.Text = bytes.Clone(doc.Text)
			}
			d = &decoded{job: j}
		}
		out.docs = append(out.docs, d)
	}
	return out
}

// texts are decoded documents by what they say.
type texts map[string][]*decoded

// byText are the documents of a file that mean the same in another.
func (p *parsed) byText(f *source.File, config bool) texts {
	if p == nil || p.file == nil || config || p.config || p.file.Namespace != f.Namespace || p.file.TablesOnly != f.TablesOnly {
		return nil
	}
	out := texts{}
	for _, d := range p.docs {
		out[string(d.job.doc.Text)] = append(out[string(d.job.doc.Text)], d)
	}
	return out
}

// take finds a document that was decoded already, at the same line or, if nothing
// but its objects came of it, at another.
func (t texts) take(doc *source.Document) *decoded {
	all := t[string(doc.Text)]
	i := slices.IndexFunc(all, func(d *decoded) bool { return d.job.doc.First == doc.First })
	if i < 0 {
		i = slices.IndexFunc(all, func(d *decoded) bool { return len(d.found)+len(d.tables)+len(d.contracts)+len(d.remarks) == 0 })
	}
	if i < 0 || all[i].job.doc.File != doc.File || all[i].job.doc.Indent != doc.Indent {
		return nil
	}
	d := all[i]
	t[string(doc.Text)] = slices.Delete(all, i, i+1)
	if d.job.doc.First == doc.First {
		return d
	}
	return d.moved(doc)
}

// moved is a document that says the same on other lines.
func (d *decoded) moved(doc *source.Document) *decoded {
	out := &decoded{job: d.job, done: true, result: result{passed: d.passed}}
	out.job.doc = doc
	for _, o := range d.objects {
		own := *o
		own.positions.doc = doc
		out.objects = append(out.objects, &own)
	}
	return out
}

// decode reads the documents that are not read yet, on all processors, and counts
// what came of each file.
func decode(files []*parsed) {
	var todo []*decoded
	for _, p := range files {
		for _, d := range p.docs {
			if !d.done {
				todo = append(todo, d)
			}
		}
	}
	spread(len(todo), func(i int) {
		d := todo[i]
		d.result, d.done = d.job.run(), true
		d.job.tree = nil
	})
	for _, p := range files {
		if p.found == nil {
			p.finish()
		}
	}
}

func (p *parsed) finish() {
	p.found = p.sections(func(*decoded) bool { return false })
	for _, d := range p.docs {
		p.tables = append(p.tables, d.tables...)
		p.remarks = append(p.remarks, d.remarks...)
		p.passed += d.passed
		p.objects += len(d.objects)
	}
}

// sections are the findings of a file but for some documents.
func (p *parsed) sections(without func(*decoded) bool) *diag.Section {
	out := &diag.Section{Batches: []*diag.List{&p.faults}}
	for _, d := range p.docs {
		if !without(d) {
			out.Batches = append(out.Batches, &d.found)
		}
	}
	return out
}
