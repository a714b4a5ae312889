package diag

import (
	"cmp"
	"reflect"
	"slices"
)

// Section is the findings of one place in the order they were made, in batches.
// As long as what it is made from stays the same, a section and each of its
// batches stay the same value: then differences are found without comparing texts.
type Section struct{ Batches []*List }

// All are the findings of sections.
func All(sections []*Section) List {
	size := 0
	for _, s := range sections {
		for _, b := range s.Batches {
			size += len(*b)
		}
	}
	if size == 0 {
		return nil
	}
	out := make(List, 0, size)
	for _, s := range sections {
		for _, b := range s.Batches {
			out = append(out, *b...)
		}
	}
	return out
}

// Difference is the findings that are in the present sections and were not in
// those before, and the other way round.
func Difference(before, now []*Section) (added, removed List) {
	before, now = unlike(before, now)
	was, is := members(before), members(now)
	old := map[*List]bool{}
	for _, s := range before {
		if !is[s] {
			for _, b := range s.Batches {
				old[b] = true
			}
		}
	}
	for _, s := range now {
		if was[s] {
			continue
		}
		for _, b := range s.Batches {
			if old[b] {
				delete(old, b)
			} else {
				added.Add(*b...)
			}
		}
	}
	for _, s := range before {
		if is[s] {
			continue
		}
		for _, b := range s.Batches {
			if old[b] {
				removed.Add(*b...)
			}
		}
	}
	return added, removed
}

// unlike leaves out most of what two lists share: nearly everything is at the same
// place, or one further where something was put in before it.
func unlike(before, now []*Section) (was, is []*Section) {
	for len(before) > 0 && len(now) > 0 {
		switch {
		case before[0] == now[0]:
			before, now = before[1:], now[1:]
		case len(now) > 1 && before[0] == now[1]:
			is, now = append(is, now[0]), now[1:]
		case len(before) > 1 && before[1] == now[0]:
			was, before = append(was, before[0]), before[1:]
		default:
			was, is = append(was, before[0]), append(is, now[0])
			before, now = before[1:], now[1:]
		}
	}
	return append(was, before...), append(is, now...)
}

func members(sections []*Section) map[*Section]bool {
	out := make(map[*Section]bool, len(sections))
	for _, s := range sections {
		out[s] = true
	}
	return out
}

// Patched is a sorted list without some of its findings and with others.
func (l List) Patched(added, removed List) List {
	added, removed = added.Sorted(), removed.Sorted()
	if reflect.DeepEqual(added, removed) { // found again as they were
		return l
	}
	out := make(List, 0, len(l)+len(added))
	for len(added)+len(removed) > 0 {
		gone := len(added) == 0 || len(removed) > 0 && compare(&removed[0], &added[0]) <= 0
		f := &added
		if gone {
			f = &removed
		}
		at, there := slices.BinarySearchFunc(l, &(*f)[0], func(x Finding, f *Finding) int { return compare(&x, f) })
		for !gone && at < len(l) && compare(&l[at], &(*f)[0]) == 0 {
			at++
		}
		out, l = append(out, l[:at]...), l[at:]
		switch {
		case gone && there:
			l = l[1:]
		case !gone:
			out = append(out, (*f)[0])
		}
		*f = (*f)[1:]
	}
	return append(out, l...)
}

// Compared are the findings that only one of two sorted lists has.
func Compared(before, after List) (appeared, went List) {
	for len(before)+len(after) > 0 {
		c := 0
		switch {
		case len(before) == 0:
			c = 1
		case len(after) == 0:
			c = -1
		default:
			c = compare(&before[0], &after[0])
		}
		switch {
		case c < 0:
			went = append(went, before[0])
			before = before[1:]
		case c > 0:
			appeared = append(appeared, after[0])
			after = after[1:]
		default:
			before, after = before[1:], after[1:]
		}
	}
	return appeared, went
}

// Without is a list, sorted, less the findings of another but for those that
// always stay.
func (l List) Without(other List, stays func(Finding) bool) List {
	l, other = l.Sorted(), other.Sorted()
	var out List
	for i := range l {
		f := &l[i]
		for len(other) > 0 && compare(&other[0], f) < 0 {
			other = other[1:]
		}
		if len(other) > 0 && compare(&other[0], f) == 0 {
			if other = other[1:]; !stays(*f) {
				continue
			}
		}
		out = append(out, *f)
	}
	return out
}

// compare orders by position, code and message; where these are equal by the
// rest of what is said, so that the order never depends on who came first.
func compare(a, b *Finding) int {
	x, y := a.At(), b.At()
	if c := cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col)); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message)); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Effect, b.Effect), cmp.Compare(a.Help, b.Help), cmp.Compare(a.Path, b.Path),
		slices.CompareFunc(a.Related, b.Related, compareLocations))
}

func compareLocations(a, b Location) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Label, b.Label))
}
