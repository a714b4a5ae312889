package live

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// labelRules marks the ConfigMaps in the control plane's namespace that are rule sets,
// and those that hold the public keys of who may sign rule sets of registries.
const labelRules = "meshc.dev/rules"

// rulesStore is the store of these ConfigMaps among those of kinds.
const rulesStore = "rules"

const ruleExt = ".rego"

// ruleSetName is what findings call a ConfigMap of rules; its files lie below.
func ruleSetName(configMap string) string { return "ConfigMap/" + configMap }

// ruleMap notes that a ConfigMap of rules or of keys came, became another or went.
func (l *Live) ruleMap(u *unstructured.Unstructured, gone bool) {
	l.mu.Lock()
	if l.rulebook.dirty[u.GetName()] = u; gone {
		l.rulebook.dirty[u.GetName()] = nil
	}
	l.mu.Unlock()
	l.recheck()
}

// recheck has what is in force judged, soon.
func (l *Live) recheck() {
	select {
	case l.unjudged <- struct{}{}:
	default:
	}
}

// ruleFiles are the rules in a ConfigMap; none is a finding, unless it holds keys.
func ruleFiles(u *unstructured.Unstructured) ([]*source.File, diag.List) {
	data, _, _ := unstructured.NestedStringMap(u.Object, "data")
	var out []*source.File
	keys := false
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if path.Ext(key) == ruleExt {
			out = append(out, &source.File{Path: ruleSetName(u.GetName()) + "/" + key, Data: []byte(data[key])})
		}
		keys = keys || strings.Contains(data[key], "PUBLIC KEY")
	}
	if len(out) > 0 || keys {
		return out, nil
	}
	name := ruleSetName(u.GetName())
	return nil, diag.List{diag.New(policies.CodeNoRules, diag.Span{File: name + "/data", Line: 1, Col: 1}, "no key of %s ends in %s", name, ruleExt).
		WithEffect("it is judged by none of its rules").
		WithHelp("give each file of rules a key such as owners.rego; or take the label %s away", labelRules)}
}

// takeRules tells the book which rule sets there are now. It belongs to who audits.
func (l *Live) takeRules(config *syntax.Config) {
	l.mu.Lock()
	dirty, fetched := l.rulebook.dirty, maps.Clone(l.rulebook.fetched)
	l.rulebook.dirty = map[string]*unstructured.Unstructured{}
	l.mu.Unlock()
	for name, u := range dirty {
		if u == nil {
			l.book.Remove(ruleSetName(name))
			continue
		}
		files, failed := ruleFiles(u)
		if l.book.Put(ruleSetName(name), files, failed); len(files)+len(failed) == 0 {
			l.book.Remove(ruleSetName(name)) // keys alone
		}
	}
	wanted := map[string]bool{}
	for i, ref := range config.Rules.Dirs {
		if !source.IsRuleSet(ref) || wanted[ref] {
			continue // folders are of a repository: ConfigMaps are in their place
		}
		wanted[ref] = true
		at := diag.Span{File: source.ConfigName, Line: 1, Col: 1}
		if config.Object != nil {
			at = config.Object.At("spec", "rules", "dirs", i)
		}
		switch f, known := fetched[ref]; {
		case known:
			for n := range f.failed {
				f.failed[n].Locations[0].Span = at
			}
			l.book.Put(ref, f.files, f.failed)
		case l.book.Set(ref) == nil:
			l.book.Put(ref, nil, diag.List{notFetched(at, ref)})
		}
	}
	for _, name := range l.book.Names() {
		if source.IsRuleSet(name) && !wanted[name] {
			l.book.Remove(name)
		}
	}
}

func notFetched(at diag.Span, ref string) diag.Finding {
	return diag.New(policies.CodeNotAtHand, at, "the rule set %q was not fetched yet", ref).
		WithEffect("the mesh is not judged by it").WithHelp("its registry is asked again and again")
}

// ruleFault is what is wrong with a rule set, in the words of who looks at it.
type ruleFault struct {
	set   string
	found diag.List
}

// ruleFaults are the sets that are not judged by as they are wanted.
func (l *Live) ruleFaults() []ruleFault {
	var out []ruleFault
	for _, name := range l.book.Names() {
		s := l.book.Set(name)
		if !s.Refused() {
			continue
		}
		effect := "none of its rules judges"
		if s.Accepted != nil {
			effect = "the last accepted form of " + name + " judges"
		}
		found := slices.Clone(s.Found)
		for i, f := range found {
			found[i].Message = cmp.Or(f.At().String(), name) + ": " + f.Message
			found[i].Effect = effect
		}
		out = append(out, ruleFault{name, found})
	}
	return out
}
