package diag

import "sort"

// Code names a kind of finding for ever: MSH0xxx tool and input, 1xxx access,
// 2xxx routing and split, 3xxx identity, 4xxx workloads, 5xxx GitOps.
type Code string

// Entry is what is known of a code without any input: its severity at each
// stage, and the text of `meshc explain`.
type Entry struct {
	Code  Code
	Title string // a plain sentence, lower case, no stop
	// Build, Admission and Live are the severities at the three stages.
	Build, Admission, Live Severity
	Explain                string // what it is, why it matters, what to do; several paragraphs allowed
	Bad, Good              string // short YAML examples
	// Awaited: what is missed may come a moment later, with what is applied together. Who
	// creates the object at fault is not told of it at admission; its status tells at
	// once, and an Event if it is still missing after a while.
	Awaited bool
}

// same is an entry with one severity at every stage.
func same(s Severity, code Code, title, explain, bad, good string) Entry {
	return Entry{Code: code, Title: title, Build: s, Admission: s, Live: s, Explain: explain, Bad: bad, Good: good}
}

// awaited is an entry about something that may still come.
func awaited(e Entry) Entry {
	e.Awaited = true
	return e
}

// tables is every code there is, a table for each thousand.
var tables = [][]Entry{toolCodes, inputCodes, knownCodes, verdictCodes, bundleCodes, accessCodes, splitCodes, identityCodes, workloadCodes, injectionCodes, catalogCodes, linkCodes, allowCodes, breakGlassCodes, ruleCodes, policyCodes, waiverCodes, revisionCodes, contractCodes, installCodes, liveCodes}

var byCode = func() map[Code]Entry {
	m := map[Code]Entry{}
	for _, t := range tables {
		for _, e := range t {
			if _, dup := m[e.Code]; dup {
				panic("diag: code " + string(e.Code) + " is in the tables twice")
			}
			m[e.Code] = e
		}
	}
	return m
}()

// Lookup finds a code's entry.
func Lookup(c Code) (Entry, bool) {
	e, ok := byCode[c]
	return e, ok
}

// Codes lists all entries in order of code.
func Codes() []Entry {
	out := make([]Entry, 0, len(byCode))
	for _, e := range byCode {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Code < out[j].Code })
	return out
}
