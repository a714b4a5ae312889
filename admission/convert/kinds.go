package convert

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/meshc/meshc/admission/tree"
)

// target: `specs` is `rules` from v1alpha2 on; ports end with v1alpha2, groups begin
// with v1alpha4.
func target(spec Object, from, to int) error {
	subject := func(o Object) error {
		if p := o["port"]; p != nil && to > 2 {
			if n, ok := tree.Whole(p); !ok || n != 0 {
				return fmt.Errorf("a port (%v), which later versions cannot say: it would allow every port", p)
			}
			delete(o, "port")
		}
		if n, ok := tree.Whole(o["port"]); ok && n == 0 && to == 2 {
			delete(o, "port") // in v1alpha1 the Go type of the SDK writes it for none
		}
		if g := o["group"]; g != nil && to < 4 {
			if !empty(g) {
				return fmt.Errorf("a group (%v), which earlier versions cannot say: it would be another subject", g)
			}
			delete(o, "group")
		}
		return nil
	}
	if o, ok := spec["destination"].(Object); ok {
		if err := subject(o); err != nil {
			return err
		}
	}
	if err := each(spec["sources"], subject); err != nil {
		return err
	}
	if rules, ok := spec["specs"]; ok && from == 1 {
		delete(spec, "specs")
		spec["rules"] = rules
	} else if rules, ok := spec["rules"]; ok && to == 1 {
		delete(spec, "rules")
		spec["specs"] = rules
	}
	return nil
}

// routes: headers begin with v1alpha2.
func routes(spec Object, _, to int) error {
	return each(spec["matches"], func(m Object) error {
		if h, ok := m["headers"]; ok && to < 2 {
			if !empty(h) {
				return fmt.Errorf("headers in match %v, which v1alpha1 cannot say: it would match every request of that path", m["name"])
			}
			delete(m, "headers")
		}
		return nil
	})
}

// ports: they begin with v1alpha4.
func ports(spec Object, _, to int) error {
	if to == newest {
		return nil
	}
	matches, ok := spec["matches"].(Object)
	if !ok && !empty(spec["matches"]) {
		return fmt.Errorf("matches that are no map")
	}
	if !empty(matches["ports"]) {
		return fmt.Errorf("ports (%v), which earlier versions cannot say: it would match every port", matches["ports"])
	}
	if !empty(matches["name"]) {
		return fmt.Errorf("a name for its match (%v), which earlier versions cannot say", matches["name"])
	}
	delete(spec, "matches")
	return nil
}

// split: weights are quantities in v1alpha1, and only their ratios count; matches
// begin with v1alpha3.
func split(spec Object, from, to int) error {
	if m, ok := spec["matches"]; ok && to < 3 {
		if !empty(m) {
			return fmt.Errorf("matches, which earlier versions cannot say: it would split every request")
		}
		delete(spec, "matches")
	}
	switch {
	case from == 1:
		return wholeWeights(spec["backends"])
	case to == 1:
		return each(spec["backends"], func(b Object) error {
			if n, ok := tree.Whole(b["weight"]); ok {
				b["weight"] = n
			}
			return nil
		})
	}
	return nil
}

// wholeWeights makes numbers of quantities: units where all are whole, else
// thousandths, which are in the same ratio.
func wholeWeights(backends any) error {
	milli := map[*Object]int64{}
	unit := int64(1000)
	var order []*Object
	err := each(backends, func(b Object) error {
		w, ok := b["weight"]
		if !ok {
			return nil
		}
		text, isText := w.(string)
		if !isText {
			text = fmt.Sprint(w) // a number; what is none is no quantity either
		}
		q, err := resource.ParseQuantity(text)
		if err != nil || q.Sign() < 0 {
			return fmt.Errorf("a weight (%v) that is no quantity", w)
		}
		if q.Cmp(*resource.NewQuantity(greatest, resource.DecimalSI)) > 0 {
			return fmt.Errorf("a weight (%v) too great for later versions", w)
		}
		m := q.MilliValue()
		if m%1000 != 0 {
			unit = 1
		}
		milli[&b] = m
		order = append(order, &b)
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range order {
		n := milli[b] / unit
		if n > greatest {
			return fmt.Errorf("a weight (%v) too great for later versions beside one of thousandths", (*b)["weight"])
		}
		(*b)["weight"] = n
	}
	return nil
}

// greatest is the greatest weight that the compiler and the schemas take.
const greatest = 1<<32 - 1
