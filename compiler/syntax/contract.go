package syntax

import "github.com/meshc/meshc/compiler/diag"

// Contract is what a policy relies on in a namespace (docs/contracts.md), as
// written. Package contract understands its facts.
type Contract struct {
	Object            *Object
	Namespace         string // its name
	Mesh, TrustDomain string
	Environment       string // of the policy's meshc.yaml; empty: it was written without one
	Mode              string // of the namespace's workloads as destinations
	Facts             []ContractFact
	Complete          bool // the last field says that nothing was cut off
}

// ContractFact is one fact, and the lines of the policy that read it.
type ContractFact struct {
	Fact    string
	At      diag.Span
	Readers []ContractReader
}

// ContractReader is a line of the policy: FILE:LINE in its repository.
type ContractReader struct{ Line, Object, Effect string }

func decodeContract(d *decoder, root *record) {
	c := &Contract{Object: d.obj, Namespace: d.obj.Name}
	d.obj.contract = c
	spec := root.need("spec").record()
	if spec == nil {
		return
	}
	c.Mesh = spec.get("mesh").text()
	c.Environment = spec.get("environment").text()
	c.TrustDomain = spec.need("trustDomain").text()
	c.Mode = spec.need("mode").oneOf("strict", "permissive", "audit")
	for _, f := range spec.get("facts").items() {
		c.Facts = append(c.Facts, contractFact(f))
	}
	complete := spec.get("complete").boolean()
	c.Complete = complete != nil && *complete
	spec.done()
}

func contractFact(at *cursor) ContractFact {
	f := ContractFact{At: at.span()}
	r := at.record()
	if r == nil {
		return f
	}
	fact := r.need("fact")
	if f.Fact = fact.text(); fact != nil {
		f.At = fact.span()
	}
	for _, one := range r.get("readers").items() {
		reader := one.record()
		if reader == nil {
			continue
		}
		f.Readers = append(f.Readers, ContractReader{
			Line: reader.need("line").text(), Object: reader.get("object").text(), Effect: reader.get("effect").text(),
		})
		reader.done()
	}
	r.done()
	return f
}
