package oracle

import (
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// past makes a question one that is dialled from outside the mesh at a workload's
// own address, past any client's proxy. It does nothing where no proxy is there.
func (d dice) past(q *question, m *ir.Mesh, w *world) bool {
	if s := w.service(q.Ask.To.Service); s == nil || s.Outside || s.Empty {
		return false
	}
	if q.Ask.From == "" {
		q.Ask.From = ir.NewIdentity(m.Settings.TrustDomain, "a", "stranger")
	}
	q.Cert = pick(d, ownCert, ownCert, ownCert, plainText, foreign, twoNames, pick(d, refusedCerts...), pick(d, refusedCerts...))
	q.Trick = q.Cert
	q.Ask.Direct, q.Wire.TLS = true, &caller.TLS{}
	switch q.Cert {
	case plainText:
		q.Ask.From, q.Ask.Direct, q.Wire.TLS = "", false, nil
	case foreign:
		_, ns, name, _ := q.Ask.From.Split()
		q.Ask.From = ir.NewIdentity("elsewhere.example", ns, name)
	case twoNames:
		q.Also, q.Rule = ir.NewIdentity(m.Settings.TrustDomain, "a", "buyer"), sound
	case ownCert:
	default:
		q.Rule = refused
	}
	if q.Ask.HTTP == nil {
		if q.Wire.TLS != nil {
			q.Wire.TLS.ALPN = []string{"meshc"}
		}
		return true
	}
	if d.chance(40) {
		q.Wire.Kind = caller.Frames
		rule := q.Rule
		d.block(q, oddities[0])
		q.Rule, q.Trick = rule, q.Cert+" over HTTP/2"
		if q.Wire.TLS != nil {
			q.Wire.TLS.ALPN = []string{"h2"}
		}
		return true
	}
	if q.Wire.TLS != nil && d.chance(70) {
		q.Wire.TLS.ALPN = []string{"http/1.1"}
	}
	t := tricks[0]
	if d.chance(50) {
		t = pick(d, tricks...)
	}
	rule := q.Rule
	d.byHand(q, t)
	q.Trick = q.Cert + ", " + t.name
	if rule == refused || rule == sound && q.Rule == exact {
		q.Rule = rule
	}
	return true
}

func (w *world) service(id ir.ServiceID) *service {
	for i := range w.Services {
		if s := &w.Services[i]; s.Namespace == id.Namespace && s.Name == id.Name {
			return s
		}
	}
	return nil
}
