package compiler_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

var edits = flag.Int("edits", 200, "random edits that sessions are held against cold compilations for")

// The session verifies what it lowers, so a wrong memory of what was proved would
// show; the cold compilation it is held against need not.
var (
	quick = compiler.Options{NoRules: true}
	cold  = compiler.Options{NoRules: true, NoVerify: true}
)

// A rule that was judged before is judged again when something that it read is
// another, and only then: what it finds is what a cold compilation finds.
func TestSessionJudgesAsAColdCompilation(t *testing.T) {
	for seed := range (*edits + 99) / 100 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newDeskWith(t, uint64(seed)+1000, compiler.Options{NoPlan: true})
			d.cold = compiler.Options{NoPlan: true}
			for range 50 {
				d.edit()
				d.compare()
			}
		})
	}
}

// A session gives what a cold compilation gives, whatever was edited before: who
// works with one is never shown a finding that is not there, or served a policy
// that nobody wrote.
func TestSessionIsEqualToColdCompilation(t *testing.T) {
	const each = 100
	for seed := range (*edits + each - 1) / each {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newDesk(t, uint64(seed))
			for range each {
				d.edit()
				d.compare()
				d.try()
			}
		})
	}
}

// desk is the files that are edited, and the session that follows.
type desk struct {
	t       *testing.T
	w       writer
	files   map[string][]string // documents
	objects map[string]string   // single objects, by the name they are put under
	taken   map[syntax.Name]bool
	lock    string
	known   ir.Known
	session *compiler.Session
	cold    compiler.Options
	rules   []*source.File
	last    diag.List // of the last cold compilation
	history []string
}

func newDesk(t *testing.T, seed uint64) *desk { return newDeskWith(t, seed, quick) }

func newDeskWith(t *testing.T, seed uint64, opts compiler.Options) *desk {
	d := &desk{t: t, cold: cold, w: writer{rand.New(rand.NewPCG(seed, 7))}, files: map[string][]string{}, objects: map[string]string{}, taken: map[syntax.Name]bool{}}
	for i := range 30 {
		name := fmt.Sprintf("f%d.yaml", i%4)
		d.files[name] = append(d.files[name], d.w.document())
	}
	d.session = compiler.NewSession(ir.Known{}, opts)
	d.session.Load(d.tree(nil, nil), ir.Known{})
	return d
}

// tree is the files as they would lie on disk: a document whose object a single
// one has replaced is blank. A change may be laid over them.
func (d *desk) tree(change *compiler.Change, taken map[syntax.Name]bool) *source.Tree {
	files := map[string][]byte{}
	hidden := func(o *syntax.Object) bool {
		n := syntax.NameOf(o)
		return d.taken[n] || taken[n]
	}
	for name, docs := range d.files {
		files[name] = []byte(text(docs, hidden))
	}
	for name, doc := range d.objects {
		files[name] = []byte(text([]string{doc}, func(o *syntax.Object) bool { return taken[syntax.NameOf(o)] }))
	}
	if change != nil {
		delete(files, change.Path)
		if change.Data != nil {
			files[change.Path] = change.Data
		}
	}
	tree := source.FromMap(files)
	tree.Rules = d.rules
	return tree
}

func text(docs []string, hidden func(*syntax.Object) bool) string {
	var b strings.Builder
	for i, doc := range docs {
		if i > 0 {
			b.WriteString("---\n")
		}
		parsed, _ := syntax.Parse(source.FromMap(map[string][]byte{"x.yaml": []byte(doc)}))
		if len(parsed.Objects) > 0 && !slices.ContainsFunc(parsed.Objects, func(o *syntax.Object) bool { return !hidden(o) }) {
			doc = strings.Repeat("\n", strings.Count(doc, "\n"))
		}
		b.WriteString(doc)
	}
	return b.String()
}

// edit changes something and tells the session, by a change or by the whole tree.
func (d *desk) edit() {
	d.history = append(d.history, "")
	if d.w.odds(12) {
		d.put()
		return
	}
	changed := d.change()
	if d.w.odds(30) || d.lock != "" && d.w.odds(50) {
		d.session.Load(d.tree(nil, nil), d.known)
		return
	}
	var changes []compiler.Change
	for _, name := range changed {
		c := compiler.Change{Path: name}
		if docs, ok := d.files[name]; ok {
			c.Data = []byte(text(docs, func(o *syntax.Object) bool { return d.taken[syntax.NameOf(o)] }))
		}
		changes = append(changes, c)
	}
	d.session.Apply(changes...)
}

// change edits files, and gives the names of those it touched.
func (d *desk) change() []string {
	names := slices.Sorted(maps.Keys(d.files))
	name := pick(d.w, names...)
	docs := slices.Clone(d.files[name])
	i := d.w.IntN(len(docs))
	touched := []string{name}
	switch d.w.IntN(12) {
	case 0, 1, 2:
		docs[i] = d.w.document()
	case 3:
		docs = slices.Insert(docs, i, d.w.document())
	case 4:
		docs = slices.Delete(docs, i, i+1)
	case 5: // to another file
		to := fmt.Sprintf("f%d.yaml", d.w.IntN(6))
		if to != name {
			d.files[to] = append(slices.Clone(d.files[to]), docs[i])
			docs, touched = slices.Delete(docs, i, i+1), append(touched, to)
		}
	case 6:
		docs = append(docs, docs[i])
	case 7, 8, 9:
		docs[i] = d.w.damaged(docs[i])
	case 10:
		d.files["meshc.yaml"] = []string{d.w.config()}
		if d.w.odds(20) {
			delete(d.files, "meshc.yaml")
		}
		touched = []string{"meshc.yaml"}
		if name == "meshc.yaml" {
			return touched
		}
	case 11:
		d.lock = d.w.lock()
		d.known, _ = resolve.ParseLock("meshc.lock", []byte(d.lock))
		d.session.Load(d.tree(nil, nil), d.known)
	}
	if d.files[name] = docs; len(docs) == 0 {
		delete(d.files, name)
		if len(d.files) == 0 {
			d.files["f0.yaml"] = []string{d.w.document()}
			touched = append(touched, "f0.yaml")
		}
	}
	return touched
}

// object is a change of a single object, and the names it takes.
func (d *desk) object() (compiler.Change, map[syntax.Name]bool) {
	doc := d.w.document()
	if d.w.odds(15) {
		doc = d.w.damaged(doc)
	}
	parsed, _ := syntax.Parse(source.FromMap(map[string][]byte{"x.yaml": []byte(doc)}))
	taken := map[syntax.Name]bool{}
	// A list is left out: of a list in a file, text could not blank one object alone.
	if len(parsed.Objects) != 1 || parsed.Objects[0].Name == "" || strings.Contains(doc, "kind: List") {
		doc = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: a}\n"
		parsed, _ = syntax.Parse(source.FromMap(map[string][]byte{"x.yaml": []byte(doc)}))
	}
	name := syntax.NameOf(parsed.Objects[0])
	taken[name] = true
	c := compiler.Change{Path: "object/" + name.Kind + "/" + name.Namespace + "/" + name.Name, Data: []byte(doc), Object: &name}
	if d.w.odds(25) {
		c.Data = nil
	}
	return c, taken
}

func (d *desk) put() {
	c, taken := d.object()
	for n := range taken {
		d.taken[n] = true
	}
	if c.Data == nil {
		delete(d.objects, c.Path)
	} else {
		d.objects[c.Path] = string(c.Data)
	}
	d.session.Apply(c)
}

// compare holds the session against a cold compilation.
func (d *desk) compare() {
	d.t.Helper()
	fresh, found := compiler.Compile(d.tree(nil, nil), d.known, d.cold)
	warm, again := d.session.Apply()
	d.last = found
	if diff := difference(found, again); diff != "" {
		d.fatal("findings: " + diff)
	}
	if !reflect.DeepEqual(fresh.Mesh, warm.Mesh) {
		a, _ := json.MarshalIndent(fresh.Mesh, "", " ")
		b, _ := json.MarshalIndent(warm.Mesh, "", " ")
		d.fatal(fmt.Sprintf("the mesh:\n%s", firstLine(string(a), string(b))))
	}
	if !reflect.DeepEqual(fresh.Inventory, warm.Inventory) || !reflect.DeepEqual(fresh.Used, warm.Used) {
		d.fatal(fmt.Sprintf("the inventory or what was used:\n%v\n%v", fresh.Used, warm.Used))
	}
	if len(fresh.Tables) != len(warm.Tables) || fresh.Objects != warm.Objects || fresh.Passed != warm.Passed {
		d.fatal("the counts")
	}
	if a, b := digest(d.t, fresh), digest(d.t, warm); a != b {
		d.fatal("the digests " + a + " and " + b)
	}
}

// try holds what a change would be found with against a cold compilation of it.
func (d *desk) try() {
	d.t.Helper()
	c, taken := d.object()
	_, after := compiler.Compile(d.tree(&c, taken), d.known, compiler.Options{NoRules: true, NoPlan: true})
	want := after.Without(d.last, func(f diag.Finding) bool { return f.At().File == c.Path })
	if diff := difference(want, d.session.Try(c)); diff != "" {
		d.fatal(fmt.Sprintf("what a try of %s finds: %s\n%s", c.Path, diff, c.Data))
	}
}

func (d *desk) fatal(what string) {
	d.t.Helper()
	d.t.Fatalf("after %d edits a session differs from a cold compilation in %s", len(d.history), what)
}

func digest(t *testing.T, r *compiler.Result) string {
	t.Helper()
	if r.Plan == nil {
		return "none"
	}
	b, err := bundle.Pack(bundle.Input{Mesh: r.Mesh, Plan: r.Plan})
	if err != nil {
		t.Fatal(err)
	}
	return b.Manifest.PolicyDigest
}

// difference is the first finding in which two lists differ.
func difference(a, b diag.List) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("only the session has %s at %s: %s", b[i].Code, b[i].At(), b[i].Message)
		case i >= len(b):
			return fmt.Sprintf("only the cold one has %s at %s: %s", a[i].Code, a[i].At(), a[i].Message)
		case !reflect.DeepEqual(a[i], b[i]):
			return fmt.Sprintf("\n%+v\nagainst\n%+v", a[i], b[i])
		}
	}
	return ""
}

func firstLine(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			from := max(0, i-8)
			return strings.Join(x[from:min(len(x), i+5)], "\n") + "\nagainst\n" + strings.Join(y[from:min(len(y), i+5)], "\n")
		}
	}
	return "they are equal but for positions or emptiness"
}
