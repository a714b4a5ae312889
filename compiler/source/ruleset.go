package source

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// RuleSets gives the files of a rule set, by slash path; without them the findings
// say why. It must give the same files whenever it is asked for the same set.
type RuleSets func(RuleSet) (map[string][]byte, diag.List)

// RuleSet is an entry of spec.rules.dirs that lies in a registry.
type RuleSet struct {
	Ref string // oci://HOST/NAME@DIGEST, as written
	At  diag.Span
	// Trust are the files of public keys in spec.rules.trust, of which one must have
	// signed the set; empty: nobody must.
	Trust []*File
}

// IsRuleSet tells a rule set in a registry from a folder of rules.
func IsRuleSet(name string) bool { return strings.HasPrefix(name, "oci://") }

// ruleSet takes in the rules of a set. Their files are named by the reference.
func (l *loader) ruleSet(p *place, dir, config string, data []byte, e entry) {
	set := RuleSet{Ref: e.path, At: e.at}
	for _, key := range l.trust(config, data) {
		f, err := l.key(p, dir, key)
		if err != nil {
			l.unreadable(key.at, key.path, "keys are files of public keys in PEM, relative to the folder that meshc.yaml lies in", err)
			return
		}
		set.Trust = append(set.Trust, f)
	}
	if l.opts.RuleSets == nil {
		l.found.Add(diag.New("MSH0641", e.at, "rule sets from registries are not at hand here").
			WithEffect("the mesh is not judged by %q", e.path).
			WithHelp("`meshc policy pull %s -o DIR` writes the rules into a folder that rules.dirs can name", e.path))
		return
	}
	files, found := l.opts.RuleSets(set)
	l.found.Add(found...)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) == ruleExt {
			l.keepRule(&File{Path: e.path + "/" + name, Data: files[name]})
		}
	}
}

// trust reads spec.rules.trust, with that of the environment laid over it.
func (l *loader) trust(name string, data []byte) []entry {
	return l.paths(name, data, "rules", "trust")
}

func (l *loader) key(p *place, dir string, e entry) (*File, error) {
	rel, err := inside(dir, e.path)
	if err != nil {
		return nil, err
	}
	text, err := l.read(p, rel)
	return &File{Path: p.name(rel), Data: text}, err
}
