package waive

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// Propose completes a waiver that somebody wants to write, and says what it would
// be for; the error says why it would waive nothing. A target without a kind is
// that of what was found. At a zero time no end is too late or too early.
func Propose(found diag.List, w syntax.Waiver, longest time.Duration, now time.Time) (syntax.Waiver, diag.List, error) {
	if longest <= 0 {
		longest = Longest
	}
	switch {
	case !w.Code.Waivable():
		return w, nil, fmt.Errorf("%s cannot be waived: mend what it is about (meshc explain %[1]s)", w.Code)
	case ended(&w, now):
		return w, nil, fmt.Errorf("the end %s is over", date(&w))
	case tooLong(&w, longest, now):
		return w, nil, fmt.Errorf("the end %s is more than %d days away: the last day that a waiver may have is %s", date(&w), int(longest/day), now.Add(longest).UTC().Format(time.DateOnly))
	}
	var there []string
	for _, f := range found {
		if f.Code == w.Code && f.Object != nil {
			there = append(there, f.Object.String())
			if w.Target.Kind == "" && glob(w.Target.Namespace, f.Object.Namespace) && glob(w.Target.Name, f.Object.Name) {
				w.Target.Kind = f.Object.Kind
			}
		}
	}
	if w.Target.Everything() {
		return w, nil, fmt.Errorf("the target covers objects of every kind, namespace and name: write out at least one")
	}
	var matched diag.List
	for i := range found {
		if matches(&w, &found[i]) {
			matched.Add(found[i])
		}
	}
	if len(matched) > 0 {
		return w, matched, nil
	}
	if w.Path != "" {
		if err := elsewhere(found, w); err != nil {
			return w, nil, err
		}
	}
	slices.Sort(there)
	if there = slices.Compact(there); len(there) == 0 {
		return w, nil, fmt.Errorf("%s was not found of anything: there is nothing to waive", w.Code)
	}
	more := ""
	if len(there) > 20 {
		there, more = there[:20], fmt.Sprintf(" and %d others", len(there)-20)
	}
	return w, nil, fmt.Errorf("%s was not found of this target; it was found of %s%s", w.Code, strings.Join(there, ", "), more)
}

// elsewhere says in which fields of its target a finding is, if it is in none that a
// waiver names.
func elsewhere(found diag.List, w syntax.Waiver) error {
	whole := w
	whole.Path = ""
	var fields []string
	for i := range found {
		if matches(&whole, &found[i]) {
			fields = append(fields, uncounted(found[i].Path))
		}
	}
	if len(fields) == 0 {
		return nil
	}
	slices.Sort(fields)
	fields = slices.DeleteFunc(slices.Compact(fields), func(field string) bool { return field == "" })
	switch {
	case len(fields) == 0:
		return fmt.Errorf("%s was found of this target, and of no field of it: leave the field %q out", w.Code, w.Path)
	case strings.ContainsAny(w.Path, "[]"):
		return fmt.Errorf("the field %q of a waiver counts no items; %s was found in %s", w.Path, w.Code, strings.Join(fields, ", "))
	}
	return fmt.Errorf("%s was found of this target, but not in the field %q; it was found in %s", w.Code, w.Path, strings.Join(fields, ", "))
}
