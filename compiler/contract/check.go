package contract

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Check holds what an application shows against what policy relies on in its
// namespaces. What breaks is an error: it is in force as soon as the application
// runs. What widens is a warning: late facts close, so it is in force only when
// the policy is locked again.
func Check(contracts []*Contract, app Application) diag.List {
	s := show(app)
	var all told
	var held bool
	environments := Environments(contracts)
	for _, env := range environments {
		faults, one := checkIn(env, contracts, s)
		held = held || one
		all.add(faults, env)
	}
	found := all.findings(environments)
	if !held && len(contracts) > 0 {
		found.Add(notHeld(contracts, s))
	}
	return found.Sorted()
}

// checkIn holds an application against the contracts of one environment, and tells
// whether any is about what it shows.
func checkIn(env string, contracts []*Contract, s *shown) (found diag.List, held bool) {
	for _, c := range contracts {
		if c.Environment != env || s.spaces[c.Namespace] == nil {
			continue
		}
		held = true
		j := newJudge(c, s)
		j.namespace()
		j.services()
		j.ports()
		j.targets()
		j.splits()
		j.accounts()
		j.behind()
		j.roles()
		j.opened()
		j.absences()
		found.Add(j.found...)
	}
	return found, held
}

// notHeld: a check that compared nothing must not look like a clean one.
func notHeld(contracts []*Contract, s *shown) diag.Finding {
	var theirs, ours []string
	for _, c := range contracts {
		if !slices.Contains(theirs, c.Namespace) {
			theirs = append(theirs, c.Namespace)
		}
	}
	for ns := range s.spaces {
		if ns != "" {
			ours = append(ours, ns)
		}
	}
	slices.Sort(ours)
	f := diag.New("MSH0363", contracts[0].At, "the contract is about %s, and the manifests show nothing there", some(theirs, quote)).
		WithEffect("nothing was compared").
		WithHelp("name the contract of the application's own namespace, or render the manifests with their namespace")
	if len(ours) > 0 {
		f = f.WithHelp("the manifests are of %s: name the contract of that namespace; there is none if no policy relies on anything there", some(ours, quote))
	}
	return f
}

func quote(s string) string { return `"` + s + `"` }

// judge holds one namespace against its contract.
type judge struct {
	*Contract
	app   *shown
	facts map[string]Fact // by what they are about
	found diag.List
}

func newJudge(c *Contract, s *shown) *judge {
	j := &judge{Contract: c, app: s, facts: map[string]Fact{}}
	for _, f := range c.Facts {
		j.facts[f.about()] = f
	}
	return j
}

// fault is a finding under way.
type fault struct {
	code    diag.Code
	at      diag.Span
	object  *syntax.Object
	readers []Reader
	fact    Fact // that is no longer so
	// now begins the sentence of what becomes of what the readers say.
	now  string
	help string
}

// mostReaders is how many lines of the policy a finding names.
const mostReaders = 3

func (j *judge) report(f fault, format string, args ...any) {
	if f.at.File == "" {
		f.at, f.object = j.app.spaceAt(j.Namespace)
	}
	out := diag.New(f.code, f.at, format, args...)
	if f.object != nil {
		out = out.About(f.object.Ref(), "")
	}
	var effects, lines []string
	for _, r := range f.readers {
		if len(lines) < mostReaders {
			lines = append(lines, r.Where())
			out = out.WithRelated(diag.Span{File: "policy:" + r.File, Line: r.Line, Col: 1}, r.Object+" relies on it")
		}
		if r.Effect != "" && !slices.Contains(effects, r.Effect) {
			effects = append(effects, r.Effect)
		}
	}
	out = out.WithRelated(f.fact.At, "the contract says so")
	if more := len(f.readers) - mostReaders; more > 0 {
		lines = append(lines, "and more in the contract")
	}
	effect := f.now
	if len(effects) > 0 {
		effect += ": " + strings.Join(effects[:min(mostReaders, len(effects))], "; ")
	}
	if len(effects) > mostReaders {
		effect += "; and more"
	}
	help := f.help
	if help == "" {
		help = "keep it as it was, or have the policy changed first (%s) and locked again with `meshc lock --update --contract`"
	}
	if len(lines) == 0 {
		lines = []string{"the contract names no line of it"}
	}
	j.found.Add(out.WithEffect("%s", effect).WithHelp("%s", strings.ReplaceAll(help, "%s", strings.Join(lines, ", "))))
}

// helpWiden is the help of what widens.
const helpWiden = "have the owners of the policy look at it (%s); it is in force once they run `meshc lock --update --contract`"

// namespace: its labels decide whether anything in it is in the mesh.
func (j *judge) namespace() {
	o := j.app.objects["Namespace/"+j.Namespace]
	fact, known := j.facts[kindNamespace+" "+j.Namespace]
	if o == nil || !known {
		return
	}
	mesh := o.Labels[labelMesh]
	if mesh != "" && mesh != fact.Labels[labelMesh] && mesh != j.Mesh {
		j.report(fault{code: "MSH0375", at: o.At("metadata", "labels", labelMesh), object: o, readers: fact.Readers, fact: fact, now: "its workloads count as outside the mesh, which ends"},
			"namespace %q moves to the mesh %q", j.Namespace, mesh)
	}
	if o.Labels[labelInject] == "disabled" && fact.Labels[labelInject] != "disabled" {
		j.report(fault{code: "MSH0375", at: o.At("metadata", "labels", labelInject), object: o, readers: fact.Readers, fact: fact, now: "its workloads have no mesh certificate any more, which ends"},
			"namespace %q leaves the mesh", j.Namespace)
	}
}

// absences: a service that comes to be where policy counts on there being none.
func (j *judge) absences() {
	for _, f := range j.of(kindAbsent) {
		if svc, o := j.app.service(f.service()); svc != nil && o != nil {
			j.report(fault{code: "MSH0385", at: o.At("metadata", "name"), object: o, readers: f.Readers, fact: f, now: "it ends that", help: "have the policy locked again (%s), so that it knows the service"},
				"service %q comes to be, and the policy was locked without it", f.service())
		}
	}
}

// together tells whether two services share an account in the contract.
func (j *judge) together(a, b ir.ServiceID) bool {
	for _, f := range j.of(kindBehind) {
		if f.service() != a {
			continue
		}
		if _, ok := j.facts[(Fact{Kind: kindBehind, Namespace: b.Namespace, Name: b.Name, Account: f.Account}).about()]; ok {
			return true
		}
	}
	return a == b
}
