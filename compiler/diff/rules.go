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
	// Params leads from a parameter to its value, in one canonical line.
	Params map[string]Written
	// Files leads from the path of a rule file, or the reference of a rule set, to
	// what names its content.
	Files map[string]Written
	// Waivers leads from a waiver, in one canonical line, to where it stands.
	Waivers map[string]Written
}

// Written is a value and where it stands.
type Written struct {
	Value string
	Cause Cause
}

// SameRules tells whether the same rules judge, as severely and by the same
// parameters; waivers are not compared.
func (j Judging) SameRules(o Judging) bool {
	same := func(a, b Written) bool { return a.Value == b.Value }
	return maps.EqualFunc(j.Severities, o.Severities, same) && maps.EqualFunc(j.Params, o.Params, same) && maps.EqualFunc(j.Files, o.Files, same)
}

// Rules are the differences in what judges. What is not certain to judge as
// strictly as before counts as widening: a change must not excuse itself.
func Rules(old, new Judging, usual Usual) Changes {
	var out Changes
	each(old.Severities, new.Severities, func(code string, before, after *Written) {
		if c := severity(code, before, after, usual(code)); c != nil {
			out = append(out, *c)
		}
	})
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

// severity compares how much a finding weighs at each stage; nil where it weighs as
// much as before. A rule that is not known may weigh anything where nothing is
// written, so that it is lowered is assumed unless it becomes an error.
func severity(code string, before, after *Written, usual []string) *Change {
	weights := func(s *Written, unknown string) []string {
		switch {
		case s != nil:
			return []string{s.Value, s.Value, s.Value}
		case usual != nil:
			return usual
		}
		return []string{unknown, unknown, unknown}
	}
	a, b := weights(before, "error"), weights(after, "off")
	if usual != nil && slices.Equal(a, b) {
		return nil
	}
	lowered, raised := false, false
	for i := range a {
		was, is := slices.Index(severities, a[i]), slices.Index(severities, b[i])
		lowered, raised = lowered || is < was, raised || is > was
	}
	e := effect(lowered, raised, true)
	own := "its rule's own"
	if usual != nil {
		own = strings.Join(slices.Compact(slices.Clone(usual)), ", then ")
	}
	text := func(s *Written) string {
		if s == nil {
			return own
		}
		return s.Value
	}
	out := ruleChange(e, fmt.Sprintf("the severity of %s is %s, was %s", code, text(after), text(before)), before, after)
	return &out
}
