package contract

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// Environments are those that contracts are about, in order; "" stands for none.
func Environments(contracts []*Contract) []string {
	var out []string
	for _, c := range contracts {
		out = append(out, c.Environment)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// told are the findings of several environments, equal ones once.
type told struct {
	found diag.List
	in    [][]string // the environments of each
}

func (t *told) add(found diag.List, env string) {
	for _, f := range found {
		i := slices.IndexFunc(t.found, func(o diag.Finding) bool {
			return o.Code == f.Code && o.At() == f.At() && o.Message == f.Message && o.Effect == f.Effect
		})
		if i < 0 {
			t.found.Add(f)
			t.in = append(t.in, []string{env})
			continue
		}
		t.in[i] = append(t.in[i], env)
	}
}

// findings name the environments of each in its message. A contract that was written
// for none has none to name.
func (t *told) findings(all []string) diag.List {
	for i := range t.found {
		f := &t.found[i]
		switch in := t.in[i]; {
		case slices.Equal(in, []string{""}):
		case len(in) == len(all) && len(all) > 1:
			f.Message += ", in every environment"
		default:
			f.Message += ", in " + strings.Join(slices.DeleteFunc(slices.Clone(in), func(env string) bool { return env == "" }), ", ")
		}
	}
	return t.found
}
