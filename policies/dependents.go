package policies

// dependent is what depends on what was read: an input, or an element of which a rule of
// the input found nothing. What is known of it holds while nothing that it read is another.
type dependent struct {
	of      *judged
	element bool
	n       int    // of the rule's definitions, for an element
	key     string // of the element
	reads   []read // each once
	at      []int  // where it stands in the lists of these; nil: in none
}

// dependents are those of everything that was read, so that of a change only they are
// looked at whom it concerns.
type dependents map[read][]reading

// reading is one of what a dependent read.
type reading struct {
	by *dependent
	i  int // of its reads
}

func (x dependents) add(r *dependent) {
	r.at = make([]int, len(r.reads))
	for i, one := range r.reads {
		r.at[i] = len(x[one])
		x[one] = append(x[one], reading{r, i})
	}
}

// drop takes a dependent out; the last of each list takes its place.
func (x dependents) drop(r *dependent) {
	if r == nil || r.at == nil {
		return
	}
	for i, one := range r.reads {
		list := x[one]
		last := len(list) - 1
		list[r.at[i]] = list[last]
		list[r.at[i]].by.at[list[last].i] = r.at[i]
		list[last] = reading{}
		if x[one] = list[:last]; last == 0 {
			delete(x, one)
		}
	}
	r.at = nil
}

// touched are the dependents of what changed.
func (x dependents) touched(changes []change) map[*dependent]struct{} {
	out := map[*dependent]struct{}{}
	take := func(one read) {
		for _, r := range x[one] {
			out[r.by] = struct{}{}
		}
	}
	for i, c := range changes {
		if len(c) == 0 {
			continue
		}
		take(read{document: everything})
		take(read{document: i, all: true})
		for key := range c {
			take(read{document: i, key: key})
		}
	}
	return out
}

// learn takes up the elements of an input of which nothing was found in the last run.
func (x dependents) learn(d *judged) {
	if d.known == nil {
		return
	}
	for _, r := range d.known.news {
		r.of = d
		x.add(r)
	}
	d.known.news = nil
}

// forget drops the elements of which something else may be found now, and gives the
// inputs of which that is so.
func (x dependents) forget(changes []change) map[*judged]bool {
	out := map[*judged]bool{}
	for r := range x.touched(changes) {
		out[r.of] = true
		if r.element {
			delete(r.of.known.of[r.n], r.key)
			x.drop(r)
		}
	}
	return out
}

// leave drops an input with its elements.
func (x dependents) leave(d *judged) {
	x.drop(d.dependent)
	if d.known == nil {
		return
	}
	for _, of := range d.known.of {
		for _, r := range of {
			x.drop(r)
		}
	}
}
