// Package waive decides which findings somebody has accepted, and until when. It
// is the one place that does: builds, admission and audits ask it alike. In come
// findings, waivers and the time of judgement, out come the findings, marked, and
// what is to be said of the waivers themselves.
package waive

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

const (
	day = 24 * time.Hour
	// Longest is how far ahead the end of a waiver may lie by default.
	Longest = 90 * day
	// soon is how long before its end a waiver is warned of.
	soon = 14 * day
)

// Apply marks the findings of a whole run and adds those about the waivers, in
// order. longest is how far ahead an end may lie; 0: Longest. At a zero time of
// judgement no waiver has ended, and none lasts too long.
func Apply(found diag.List, waivers []syntax.Waiver, longest time.Duration, now time.Time) diag.List {
	if len(waivers) == 0 {
		return found
	}
	if longest <= 0 {
		longest = Longest
	}
	out, used := mark(found, waivers, longest, now)
	for i, w := range waivers {
		out.Add(about(w, used[i], longest, now)...)
	}
	return out.Sorted()
}

// Mark marks the findings of a part of a run, such as those of one object at
// admission: of such a part nobody can tell which waivers are needed.
func Mark(found diag.List, waivers []syntax.Waiver, longest time.Duration, now time.Time) diag.List {
	if len(waivers) == 0 {
		return found
	}
	if longest <= 0 {
		longest = Longest
	}
	out, _ := mark(found, waivers, longest, now)
	return out
}

// mark gives every finding its waiver: of several the one that holds longest. A
// finding whose waivers have all ended says which one ended last. used tells
// which waivers match any finding.
func mark(found diag.List, waivers []syntax.Waiver, longest time.Duration, now time.Time) (out diag.List, used []bool) {
	used = make([]bool, len(waivers))
	out = slices.Clone(found)
	for i := range out {
		f := &out[i]
		var best *syntax.Waiver
		for n := range waivers {
			w := &waivers[n]
			if !matches(w, f) {
				continue
			}
			used[n] = true
			if !tooLong(w, longest, now) && (best == nil || w.Expires.After(best.Expires)) {
				best = w
			}
		}
		switch {
		case best == nil:
		case ended(best, now):
			*f = f.WithRelated(best.At, "the waiver ended on "+date(best))
		default:
			f.Waiver = &diag.Waiver{Reason: best.Reason, Owner: best.Owner, Expires: date(best)}
		}
	}
	return out, used
}

// about is what is to be said of a waiver.
func about(w syntax.Waiver, used bool, longest time.Duration, now time.Time) diag.List {
	object := string(w.Code) + " on " + subject(&w)
	switch {
	case tooLong(&w, longest, now):
		return diag.List{diag.New("MSH0903", w.At, "the waiver of %s is to hold until %s, which is more than %d days away", object, date(&w), int(longest/day)).
			WithEffect("it waives nothing").
			WithHelp("write an end on or before %s", now.Add(longest).UTC().Format(time.DateOnly))}
	case !used:
		return diag.List{diag.New("MSH0902", w.At, "nothing was found that the waiver of %s is for", object).
			WithHelp("delete it if the fault is mended; else look at the names in it")}
	case !now.IsZero() && !ended(&w, now) && end(&w).Sub(now) < soon:
		return diag.List{diag.New("MSH0901", w.At, "the waiver of %s ends on %s", object, date(&w)).
			WithEffect("from the day after it the finding counts again").
			WithHelp("%s owns it: mend the fault, or agree on another day", w.Owner)}
	}
	return nil
}

// matches tells whether a waiver is for a finding. What nobody may waive is
// matched by none, whatever a list of waivers says.
func matches(w *syntax.Waiver, f *diag.Finding) bool {
	if f.Code != w.Code || !f.Code.Waivable() {
		return false
	}
	if w.Within.File != "" {
		at := f.At()
		return at.File == w.Within.File && w.Within.Line <= at.Line && at.Line <= w.Within.EndLine
	}
	if f.Object == nil {
		return false
	}
	return glob(w.Target.Kind, f.Object.Kind) && glob(w.Target.Namespace, f.Object.Namespace) &&
		glob(w.Target.Name, f.Object.Name) && below(w.Path, f.Path)
}

func glob(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// below tells whether a path is that of a field or of something in it. A waiver's
// path counts no items.
func below(field, path string) bool {
	if field == "" {
		return true
	}
	rest, ok := strings.CutPrefix(uncounted(path), field)
	return ok && (rest == "" || rest[0] == '.')
}

// uncounted is a path without the places of items: spec.rules.matches.
func uncounted(path string) string {
	var b strings.Builder
	in := false
	for _, r := range path {
		switch {
		case r == '[':
			in = true
		case r == ']':
			in = false
		case !in:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// end is the first moment at which a waiver holds no more.
func end(w *syntax.Waiver) time.Time { return w.Expires.Add(day) }

func ended(w *syntax.Waiver, now time.Time) bool { return !now.IsZero() && !now.Before(end(w)) }

func tooLong(w *syntax.Waiver, longest time.Duration, now time.Time) bool {
	return !now.IsZero() && w.Expires.After(now.Add(longest))
}

func date(w *syntax.Waiver) string { return w.Expires.Format(time.DateOnly) }

// subject is what a waiver is for.
func subject(w *syntax.Waiver) string {
	t := w.Target
	if in := w.Within; in.File != "" {
		return fmt.Sprintf("lines %d to %d", in.Line, in.EndLine)
	}
	return diag.Object{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}.String()
}
