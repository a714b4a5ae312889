package live

import (
	"cmp"
	"encoding/json"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// defaultDomain is the trust domain of a Mesh that names none.
const defaultDomain = "cluster.local"

// codeDomain is the finding of a Mesh that names another trust domain than the one that
// the mesh has.
const codeDomain diag.Code = "MSH5002"

// root settles the trust domain. Proxies hold certificates of it, so another one would
// refuse all of them: whatever a Mesh says, it stays while there is an authority.
func (p *policy) root(domain string) {
	p.domain = domain
	p.base = p.rooted(p.base)
}

// elsewhere tells why a Mesh cannot be in force as it is: it is of another trust domain.
func (p *policy) elsewhere(data []byte) diag.List {
	said, ok := domainOf(data)
	if p.domain == "" || !ok || said == p.domain {
		return nil
	}
	return diag.List{diag.New(codeDomain, diag.Span{File: source.ConfigName}, "the mesh is of the trust domain %q, and its Mesh says %q", p.domain, said).
		WithEffect("the Mesh is refused as a whole, and what it said before stays in force: the proxies' certificates are of %q", p.domain).
		WithHelp("write `trustDomain: %s`; a mesh of another trust domain is a new one: see \"Another trust domain\" in docs/kubernetes.md", p.domain).
		About(diag.Object{Kind: meshKind}, "spec.trustDomain")}
}

// domainOf is the trust domain that a Mesh is of; false where it cannot be read.
func domainOf(data []byte) (string, bool) {
	var o struct {
		Spec struct {
			TrustDomain string `json:"trustDomain"`
		} `json:"spec"`
	}
	err := json.Unmarshal(data, &o)
	return cmp.Or(o.Spec.TrustDomain, defaultDomain), err == nil
}

// rooted is a Mesh with the trust domain that the mesh has.
func (p *policy) rooted(data []byte) []byte {
	said, ok := domainOf(data)
	if p.domain == "" || !ok || said == p.domain {
		return data
	}
	var o record
	if json.Unmarshal(data, &o) != nil {
		return data
	}
	spec, _ := o["spec"].(record)
	if spec == nil {
		spec = record{}
	}
	spec["trustDomain"], o["spec"] = p.domain, spec
	out, err := json.Marshal(o)
	if err != nil {
		return data
	}
	return out
}

// refuseDomain keeps a Mesh of another trust domain out; the answer is whether it is one,
// and the form that is in force instead.
func (p *policy) refuseDomain(e edit) (instead []byte, refused bool) {
	if e.name.Kind != meshKind || e.data == nil {
		return nil, false
	}
	found := p.elsewhere(e.data)
	if found == nil {
		return nil, false
	}
	o := p.at(e.name)
	o.wanted, o.found, o.vouched = e.data, found, false
	if o.accepted == nil { // nobody remembers what it said before
		o.accepted = e.data
	}
	o.accepted = p.rooted(o.accepted)
	p.waiting[e.name] = true
	return o.accepted, true
}
