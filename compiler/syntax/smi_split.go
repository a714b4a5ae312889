package syntax

import (
	"strconv"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

func decodeSplit(d *decoder, root *record) {
	s := &TrafficSplit{}
	d.obj.TrafficSplit = s
	body := d.body(root, "service", "backends", "matches")
	if body == nil {
		return
	}
	v := version(d.obj.APIVersion)
	s.Service = body.need("service").checkedName()
	backends := body.need("backends")
	lost := strayWeight(body, backends)
	for i, b := range backends.items() {
		last := i == len(backends.n.Content)-1
		s.Backends = append(s.Backends, splitBackend(b, v, last && lost))
	}
	if v == "v1alpha3" || v == "v1alpha4" {
		for _, m := range body.narrow("matches").items() {
			s.Matches = append(s.Matches, typedRef(m))
		}
	}
	body.hints = func(field string, at *cursor) string {
		if lost && field == "weight" {
			return "`weight` belongs to an entry of `backends`: indent it by two more spaces, under `service`"
		}
		if field == "matches" {
			return "TrafficSplit has `matches` from v1alpha3 on: write `apiVersion: split.smi-spec.io/v1alpha4`"
		}
		return ""
	}
	body.done()
}

// strayWeight tells whether the weight of the last backend slipped out of the
// list: it stands beside `backends`, and the entry lacks it.
func strayWeight(body *record, backends *cursor) bool {
	if backends == nil || backends.n.Kind != yaml.SequenceNode || len(backends.n.Content) == 0 {
		return false
	}
	last := backends.n.Content[len(backends.n.Content)-1]
	_, stray := source.Step(body.c.n, "weight")
	_, own := source.Step(last, "weight")
	return stray != nil && own == nil
}

// splitBackend reads a backend; strayWeight: its weight slipped out of the list,
// which is a finding of its own.
func splitBackend(c *cursor, version string, strayWeight bool) SplitBackend {
	r := c.record()
	if r == nil {
		if c.null() {
			c.wrongType("a map")
		}
		return SplitBackend{}
	}
	b := SplitBackend{Service: r.need("service").checkedName()}
	w := r.get("weight")
	switch {
	case w == nil && !strayWeight:
		r.missingWeight()
	case w == nil:
	case version == "v1alpha1":
		b.Weight = quantityWeight(w)
	default:
		b.Weight = wholeWeight(w)
	}
	r.done()
	return b
}

func (r *record) missingWeight() {
	path := append(r.c.path(), "weight")
	at := r.c.d.obj.At(append(r.c.path(), "service")...)
	f := diag.New("MSH0114", at, "the backend has no weight").
		WithHelp("write `weight:` with a whole number; 0 sends nothing to it")
	weight := "weight: 0" // what a cluster makes of it
	if len(r.c.up.n.Content) == 1 {
		weight = "weight: 1"
	}
	if e, ok := r.c.d.obj.InsertAfter(append(r.c.path(), "service"), weight); ok {
		f = f.WithFix("write "+weight, e)
	}
	r.c.d.fault(f, path)
}

// wholeWeight is the weight of v1alpha2 and later: a whole number from 0.
func wholeWeight(c *cursor) int64 {
	v, ok := wholeNumber(c.n)
	if ok && v >= 0 && v <= 1<<32-1 {
		return v
	}
	f := c.fault("MSH0114", "the weight is %s", describe(c.n))
	*f = f.WithHelp("write a whole number from 0 to %d; only the ratios of the weights count", uint32(1<<32-1))
	if v, err := strconv.ParseUint(c.n.Value, 10, 32); err == nil && c.n.Tag == "!!str" {
		*f = f.WithHelp("write it without quotation marks: %d", v).
			WithFix("drop the quotation marks", diag.Edit{Span: c.span(), NewText: c.n.Value})
	} else if q, err := resource.ParseQuantity(c.n.Value); err == nil && c.n.Tag == "!!str" && q.MilliValue() > 0 {
		*f = f.WithHelp("write a whole number; quantities such as 500m belong to v1alpha1")
	}
	return 0
}

// quantityWeight is the weight of v1alpha1 in milli-units: 1 is 1000, 500m is 500.
func quantityWeight(c *cursor) int64 {
	q, err := resource.ParseQuantity(c.n.Value)
	if c.n.Kind != yaml.ScalarNode || err != nil {
		f := c.fault("MSH0114", "the weight is %s", describe(c.n))
		*f = f.WithHelp("write a quantity: 1 or 500m")
		return 0
	}
	if q.Sign() < 0 || q.Cmp(*resource.NewQuantity(1<<32-1, resource.DecimalSI)) > 0 {
		f := c.fault("MSH0114", "the weight %s is out of range", c.n.Value)
		*f = f.WithHelp("write a quantity from 0 to %d", uint32(1<<32-1))
		return 0
	}
	return q.MilliValue()
}

func typedRef(c *cursor) TypedRef {
	r := c.record()
	if r == nil {
		if c.null() {
			c.wrongType("a map")
		}
		return TypedRef{}
	}
	out := TypedRef{APIGroup: r.get("apiGroup").text(), Kind: r.need("kind").text(), Name: r.need("name").checkedName()}
	r.done()
	return out
}
