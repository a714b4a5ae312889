package diff

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Judging is what judges a mesh besides the compiler itself, as written: rules,
// their parameters and severities, and waivers.
type Judging struct {
	// Severities leads from a code to off, info, warning or error.
	Severities map[string]Written
	// Own leads from the code of a rule that is not compiled in to what it weighs where
	// Severities has nothing.
	Own map[string]Weight
	// Params leads from a parameter to its value, in one canonical line.
	Params map[string]Written
	// Files leads from the path of a rule file, or the reference of a rule set, to
	// what names its content.
	Files map[string]Written
	// Waivers leads from a waiver, in one canonical line, to where it stands.
	Waivers map[string]Written
	// Trust leads from the file of a key that may vouch for rule sets to what names
	// its content; empty: nobody must.
	Trust map[string]Written
}

// Weight is what a rule says that its findings weigh, at each stage.
type Weight struct {
	Levels []string // as Usual gives them
	Cause  Cause
}

// Written is a value and where it stands.
type Written struct {
	Value string
	Cause Cause
}

// SameRules tells whether the same rules judge, as severely and by the same
// parameters, vouched for by the same keys; waivers are not compared.
func (j Judging) SameRules(o Judging) bool {
	same := func(a, b Written) bool { return a.Value == b.Value }
	return maps.EqualFunc(j.Severities, o.Severities, same) && maps.EqualFunc(j.Params, o.Params, same) && maps.EqualFunc(j.Files, o.Files, same) &&
		maps.EqualFunc(j.Trust, o.Trust, same)
}

// Rules are the differences in what judges. What is not certain to judge as
// strictly as before counts as widening: a change must not excuse itself.
func Rules(old, new Judging, usual Usual) Changes {
	var out Changes
	for _, code := range codes(old, new) {
		if c := severity(code, old.weight(code, usual), new.weight(code, usual)); c != nil {
			out = append(out, *c)
		}
	}
	each(old.Params, new.Params, func(name string, before, after *Written) {
		out = append(out, ruleChange(Unknown, fmt.Sprintf("rule parameter %s is %s, was %s", name, valueOf(after), valueOf(before)), before, after))
	})
	each(old.Files, new.Files, func(name string, before, after *Written) {
		switch {
		case before == nil:
			out = append(out, ruleChange(Changed, "rule file "+name+" is new", before, after))
		case after == nil:
			out = append(out, ruleChange(Widened, "rule file "+name+" is gone: it judges no more", before, after))
		default:
			out = append(out, ruleChange(Unknown, "rule file "+name+" says something else", before, after))
		}
	})
	each(old.Waivers, new.Waivers, func(waiver string, before, after *Written) {
		switch {
		case before == nil:
			out = append(out, ruleChange(Widened, "a waiver is added: "+waiver, before, after))
		case after == nil:
			out = append(out, ruleChange(Narrowed, "a waiver is gone: "+waiver, before, after))
		}
	})
	return append(out, trust(old.Trust, new.Trust)...)
}

// trust are the differences in who vouches for rule sets. Whoever else may do so
// widens, but the first: before it, nobody had to.
func trust(old, new map[string]Written) Changes {
	var out Changes
	each(old, new, func(key string, before, after *Written) {
		switch {
		case before == nil && len(old) == 0:
			out = append(out, ruleChange(Narrowed, "rule sets must be signed: "+key+" is trusted", before, after))
		case before == nil:
			out = append(out, ruleChange(Widened, key+" is trusted to sign rule sets", before, after))
		case after == nil && len(new) == 0:
			out = append(out, ruleChange(Widened, "nobody has to sign rule sets any more: "+key+" is not named", before, after))
		case after == nil:
			out = append(out, ruleChange(Narrowed, key+" is no longer trusted to sign rule sets", before, after))
		default:
			out = append(out, ruleChange(Widened, key+", which is trusted to sign rule sets, holds other keys", before, after))
		}
	})
	return out
}

// each calls f for every entry that is not equal on both sides, in order.
func each(old, new map[string]Written, f func(name string, before, after *Written)) {
	names := slices.Sorted(maps.Keys(old))
	for name := range new {
		if _, known := old[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		before, ok1 := old[name]
		after, ok2 := new[name]
		switch {
		case !ok1:
			f(name, nil, &after)
		case !ok2:
			f(name, &before, nil)
		case before.Value != after.Value:
			f(name, &before, &after)
		}
	}
}

func valueOf(s *Written) string {
	if s == nil {
		return "not set"
	}
	return s.Value
}

func ruleChange(e Effect, text string, before, after *Written) Change {
	c := Change{Kind: Rule, Effect: e, Text: text}
	if after != nil {
		c.Causes = append(c.Causes, after.Cause)
	}
	if before != nil {
		cause := before.Cause
		cause.Before = true
		c.Causes = append(c.Causes, cause)
	}
	return c
}

var severities = []string{"off", "info", "warning", "error"}

// Usual are the severities that a code has where nothing is written, one for each
// stage: build, admission, live. Nil: it is of a rule that is not known here.
type Usual func(code string) []string

// weighing is how much a finding weighs, and who says so.
type weighing struct {
	written *Written // in meshc.yaml; nil: nothing is
	usual   []string // of the rule itself; nil: it is not known here
	cause   *Cause   // of usual, where it is the tree's own
}

func (j Judging) weight(code string, usual Usual) weighing {
	var w weighing
	if s, ok := j.Severities[code]; ok {
		w.written = &s
	}
	if own, ok := j.Own[code]; ok {
		w.usual, w.cause = own.Levels, &own.Cause
		return w
	}
	w.usual = usual(code)
	return w
}

// codes are those whose severity may differ: what meshc.yaml names, and rules of
// one's own that both sides have. Of rules that came or went their files tell.
func codes(old, new Judging) []string {
	all := map[string]bool{}
	for _, j := range []Judging{old, new} {
		for code := range j.Severities {
			all[code] = true
		}
	}
	for code := range old.Own {
		if _, both := new.Own[code]; both {
			all[code] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// levels are what it weighs at each stage; unknown where nobody says.
func (w weighing) levels(unknown string) []string {
	switch {
	case w.written != nil:
		return []string{w.written.Value, w.written.Value, w.written.Value}
	case w.usual != nil:
		return w.usual
	}
	return []string{unknown, unknown, unknown}
}

func (w weighing) text() string {
	switch {
	case w.written != nil:
		return w.written.Value
	case w.usual != nil:
		return strings.Join(slices.Compact(slices.Clone(w.usual)), ", then ")
	}
	return "its rule's own"
}

// at is where it is said; nil where nothing is written.
func (w weighing) at() *Written {
	if w.written == nil && w.cause != nil {
		return &Written{Cause: *w.cause}
	}
	return w.written
}

func (w weighing) known() bool { return w.written != nil || w.usual != nil }

// severity compares how much a finding weighs at each stage; nil where it weighs as
// much as before. A rule that is not known may weigh anything where nothing is
// written, so that it is lowered is assumed unless it becomes an error.
func severity(code string, before, after weighing) *Change {
	a, b := before.levels("error"), after.levels("off")
	if before.known() && after.known() && slices.Equal(a, b) {
		return nil
	}
	lowered, raised := false, false
	for i := range a {
		was, is := slices.Index(severities, a[i]), slices.Index(severities, b[i])
		lowered, raised = lowered || is < was, raised || is > was
	}
	text := fmt.Sprintf("the severity of %s is %s, was %s", code, after.text(), before.text())
	out := ruleChange(effect(lowered, raised, true), text, before.at(), after.at())
	return &out
}
