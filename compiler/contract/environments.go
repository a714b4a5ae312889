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

// In are the contracts for an environment: its own, and those that are of none. Where
// others have contracts and it has none nothing can be compared, and that is a finding;
// where none has, that all count for it is told.
func In(all []*Contract, env string) ([]*Contract, diag.List) {
	names := slices.DeleteFunc(Environments(all), func(name string) bool { return name == "" })
	switch {
	case len(all) == 0 || slices.Contains(names, env):
		return slices.DeleteFunc(slices.Clone(all), func(c *Contract) bool { return c.Environment != env && c.Environment != "" }), nil
	case len(names) == 0:
		return all, diag.List{diag.New("MSH0365", all[0].At, "no contract is of an environment, and --env names %q", env).
			WithEffect("they hold for every environment: the changes are held against all of them").
			WithHelp("leave --env out, or write a contract for each environment, in the policy's repository: `meshc lock --contract --all-envs`")}
	}
	of := slices.IndexFunc(all, func(c *Contract) bool { return c.Environment != "" })
	help := "name one of these; `meshc lock --contract --all-envs`, in the policy's repository, writes one for each of its environments"
	if near := diag.Nearest(env, names); near != "" {
		help = "did you mean " + near + "? " + help
	}
	return nil, diag.List{diag.New("MSH0364", all[of].At, "no contract is of environment %q: they are of %s", env, strings.Join(names, ", ")).
		WithEffect("nothing was compared").WithHelp("%s", help)}
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
