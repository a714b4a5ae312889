package diff

import "slices"

// partial marks what is too much of a class of which the others hold some requests
// with the same methods. It has a budget of its own: how a change is worded takes
// nothing from what decides whether there is one.
func (w *weigher) partial(all []excess, others []class) []excess {
	out := slices.Clone(all)
	for i := range out {
		if out[i].example == nil {
			continue // it is not known whether there is any
		}
		out[i].partial = slices.ContainsFunc(others, func(o class) bool { return w.meets(out[i].class, o) })
	}
	return out
}

// meets tells whether a request of both classes is found.
func (w *weigher) meets(a, b class) bool {
	shared, ok := a.and(b)
	if !ok {
		return false
	}
	apart := *w
	apart.budget = w.words
	candidates, _ := methodsOf(shared, nil)
	_, found := apart.method(candidates[0], shared, nil)
	w.words = apart.budget
	return found == yes
}
