package verify_test

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
)

func lowered(t *testing.T, m *ir.Mesh) *ir.Plan {
	t.Helper()
	plan, err := envoy.Lower(m)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// A process that compiles again and again must not let a bug through because it
// has proved the same mesh before: each bug is caught by a memo that is warm, and
// caught again when it comes back.
func TestAWarmMemoHidesNoBug(t *testing.T) {
	for _, suite := range suites() {
		for _, name := range slices.Sorted(maps.Keys(suite.bugs)) {
			t.Run(name, func(t *testing.T) {
				m := suite.mesh()
				var memo verify.Memo
				for round := range 3 {
					if found := memo.Compare(m, lowered(t, m)); len(found) > 0 {
						t.Fatalf("round %d, without a bug: %s: %s", round, found[0].Asked, found[0].Why)
					}
					broken := lowered(t, m)
					suite.bugs[name](broken)
					if len(memo.Compare(m, broken)) == 0 {
						t.Fatalf("round %d: the build goes on as if nothing had happened", round)
					}
				}
			})
		}
	}
}

// Whatever is edited, and whatever goes wrong in the plan with it, a memo finds
// something wherever a comparison of everything does, and only there.
func TestAMemoFindsWhatAComparisonFinds(t *testing.T) {
	wrong, spared := 0, 0
	for seed := range uint64(max(*meshes/5, 10)) {
		d := newDice(seed)
		var memo verify.Memo
		m := d.mesh()
		for step := range 6 {
			if found := memo.Compare(m, lowered(t, m)); len(found) > 0 {
				t.Fatalf("seed %d, step %d: a false alarm: %s: %s (%v)", seed, step, found[0].Asked, found[0].Why, found[0].About)
			}
			next := d.edited(m)
			broken := lowered(t, next)
			d.damage(broken)
			all, some := verify.Compare(next, broken), memo.Compare(next, broken)
			switch {
			case len(all) > 0 && len(some) == 0:
				t.Fatalf("seed %d, step %d: a memo hides it: %s: %s (%v)", seed, step, all[0].Asked, all[0].Why, all[0].About)
			case len(all) > 0:
				wrong++
			default:
				spared++
			}
			m = next
		}
	}
	if wrong < 30 || spared == 0 {
		t.Errorf("%d damaged plans did otherwise and %d did not: the generator does not reach both", wrong, spared)
	}
}

// edited is a mesh in which one thing is otherwise; now and then it is another mesh.
func (d dice) edited(m *ir.Mesh) *ir.Mesh {
	out := *m
	out.Grants, out.Splits = slices.Clone(m.Grants), slices.Clone(m.Splits)
	switch d.IntN(7) {
	case 0:
		return d.mesh()
	case 1:
		if len(out.Grants) > 0 {
			at := d.IntN(len(out.Grants))
			out.Grants = slices.Delete(out.Grants, at, at+1)
		}
	case 2:
		if len(out.Grants) > 0 {
			g := &out.Grants[d.IntN(len(out.Grants))]
			g.Sources = sortedUnique(append(slices.Clone(g.Sources), pick(d, m.Identities)))
		}
	case 3:
		if len(out.Grants) > 0 {
			if g := &out.Grants[d.IntN(len(out.Grants))]; len(g.HTTP) > 0 {
				g.HTTP = d.matches()
			}
		}
	case 4:
		if len(out.Splits) > 0 {
			at := d.IntN(len(out.Splits))
			out.Splits = slices.Delete(out.Splits, at, at+1)
		}
	case 5:
		if len(out.Splits) > 0 {
			s := &out.Splits[d.IntN(len(out.Splits))]
			s.Backends = slices.Clone(s.Backends)
			s.Backends[d.IntN(len(s.Backends))].Weight++
		}
	case 6:
		if len(out.Namespaces) > 0 {
			out.Namespaces = slices.Clone(out.Namespaces)
			out.Namespaces[d.IntN(len(out.Namespaces))].Mode = pick(d, modes)
		}
	}
	return &out
}

// damage does to a plan what a defect of lowering may.
func (d dice) damage(p *ir.Plan) {
	other := func(ref *ir.Ref) {
		if *ref == ir.NoRef {
			return
		}
		alike := slices.Clone(p.Resources)
		if to := ir.Ref(d.IntN(len(alike))); alike[to].Type == alike[*ref].Type {
			*ref = to
		}
	}
	role := &p.Roles[d.IntN(len(p.Roles))]
	scope := &p.Scopes[d.IntN(len(p.Scopes))]
	switch d.IntN(8) {
	case 0:
		i := d.IntN(len(p.Resources))
		for j := range p.Resources {
			if p.Resources[j].Type == p.Resources[i].Type && d.chance(30) {
				p.Resources[i].Body = p.Resources[j].Body
			}
		}
	case 1:
		if len(scope.Outbound) > 0 {
			at := d.IntN(len(scope.Outbound))
			scope.Outbound = slices.Delete(slices.Clone(scope.Outbound), at, at+1)
		}
	case 2:
		scope.Outbound = p.Scopes[d.IntN(len(p.Scopes))].Outbound
	case 3:
		if len(p.Identities) > 0 {
			p.Identities[d.IntN(len(p.Identities))].Scope = d.IntN(len(p.Scopes))
		}
	case 4:
		if len(role.Ports) > 0 {
			in := &role.Ports[d.IntN(len(role.Ports))]
			other(&in.Route)
			other(&in.Extension)
		}
	case 5:
		if len(role.Ports) > 0 {
			in := &role.Ports[d.IntN(len(role.Ports))]
			in.Chains = in.Chains[:d.IntN(len(in.Chains)+1)]
		}
	case 6:
		c := &p.Clusters[d.IntN(len(p.Clusters))]
		c.Accounts = c.Accounts[:d.IntN(len(c.Accounts)+1)]
	case 7:
		if len(p.Outbound) > 0 {
			o := &p.Outbound[d.IntN(len(p.Outbound))]
			other(&o.Listener)
			other(&o.Route)
			other(&o.Direct)
		}
	}
}

// A session gives plans that are in one place in memory but for the resources that
// changed: a bug in one of these is caught where nothing else tells of it.
func TestAWarmMemoHidesNoBugInWhatPlansShare(t *testing.T) {
	bugs := 0
	for _, suite := range suites() {
		for _, name := range slices.Sorted(maps.Keys(suite.bugs)) {
			m := suite.mesh()
			good, broken := lowered(t, m), lowered(t, m)
			suite.bugs[name](broken)
			frame, resources := *broken, *good
			frame.Resources, resources.Resources = nil, nil
			if !reflect.DeepEqual(frame, resources) {
				continue // the bug is in more than resources
			}
			bugs++
			var memo verify.Memo
			if found := memo.Compare(m, good); len(found) > 0 {
				t.Fatalf("%s: without the bug: %s: %s", name, found[0].Asked, found[0].Why)
			}
			shared := *good
			shared.Resources = slices.Clone(good.Resources)
			for i := range min(len(shared.Resources), len(broken.Resources)) {
				if !bytes.Equal(shared.Resources[i].Body, broken.Resources[i].Body) {
					shared.Resources[i] = broken.Resources[i]
				}
			}
			if len(memo.Compare(m, &shared)) == 0 {
				t.Errorf("%s: the build goes on as if nothing had happened", name)
			}
		}
	}
	if bugs < 10 {
		t.Errorf("only %d bugs are in resources alone", bugs)
	}
}
