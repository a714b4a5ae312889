package resolve

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// binding is an IdentityBinding and the identities it stands for (row 26).
type binding struct {
	*part
	identities []ir.Identity
}

// readBinding resolves an IdentityBinding; nil: there is none of that name.
func (r *resolver) readBinding(id ir.ServiceID) *binding {
	o, ok := r.find("IdentityBinding", id.Namespace, id.Name)
	if !ok {
		return nil
	}
	b := &binding{}
	b.part = r.unit(func() {
		if o.IdentityBinding == nil || o.Invalid || !r.ours.Get(o.Namespace) {
			return
		}
		r.origin("IdentityBinding/"+o.Namespace+"/"+o.Name, o, namePosition(o))
		b.identities = r.bind(o, o.IdentityBinding)
		slices.Sort(b.identities)
		b.identities = slices.Compact(b.identities)
	})
	return b
}

// bind is the union of a binding's schemes.
func (r *resolver) bind(o *syntax.Object, b *syntax.IdentityBinding) []ir.Identity {
	if b.PodLabelSelector != nil && b.ServiceAccount != "" {
		r.report(bindingFinding(o, "MSH3003", "IdentityBinding %q has both a podLabelSelector and a serviceAccount", o.Name).in("podLabelSelector").
			WithRelated(o.AtUnion("spec", "schemes", "serviceAccount"), "the other scheme").
			WithEffect("it stands for nobody").WithHelp("keep one of them; spiffeIdentities may stand beside either"))
		return nil
	}
	if b.PodLabelSelector == nil && b.ServiceAccount == "" && len(b.SPIFFEIdentities) == 0 {
		r.report(bindingFinding(o, "MSH3003", "IdentityBinding %q has no scheme", o.Name).in().
			WithEffect("it stands for nobody").WithHelp("write `serviceAccount`, `podLabelSelector` or `spiffeIdentities` under spec.schemes"))
		return nil
	}
	var out []ir.Identity
	if b.ServiceAccount != "" {
		s := subject{Subject: syntax.Subject{Name: b.ServiceAccount, Namespace: o.Namespace}, role: "binding"}
		out = append(out, r.boundAccount(o, s, "serviceAccount")...)
	}
	for i, written := range b.SPIFFEIdentities {
		out = append(out, r.boundID(o, written, i)...)
	}
	if b.PodLabelSelector != nil {
		out = append(out, r.boundPods(o, b.PodLabelSelector)...)
	}
	return out
}

func (r *resolver) boundAccount(o *syntax.Object, s subject, path ...any) []ir.Identity {
	a, ok := r.knownAccount(s.Namespace, s.Name)
	if !ok {
		f := bindingFinding(o, "MSH3001", "service account %q of namespace %q is not known", s.Name, s.Namespace).in(path...).
			WithEffect("IdentityBinding %s does not stand for it", o.Name).WithHelp(howToKnow)
		if n := diag.Nearest(s.Name, r.accountNames(s.Namespace)); n != "" {
			f = f.WithHelp("did you mean %q? Otherwise %s", n, howToKnow)
		}
		r.report(f)
		return nil
	}
	return []ir.Identity{a.id}
}

// boundID reads a SPIFFE id: of this trust domain and of the binding's namespace.
func (r *resolver) boundID(o *syntax.Object, written string, i int) []ir.Identity {
	id := ir.Identity("spiffe://" + strings.TrimPrefix(written, "spiffe://"))
	path := []any{"spiffeIdentities", i}
	none := "IdentityBinding " + o.Name + " does not stand for it"
	if err := id.Check(); err != nil {
		r.report(bindingFinding(o, "MSH3004", "%q is not a SPIFFE id: %s", written, err).in(path...).
			WithEffect("%s", none).WithHelp("write spiffe://%s/ns/%s/sa/SERVICEACCOUNT", r.settings.TrustDomain, o.Namespace))
		return nil
	}
	if td := id.TrustDomain(); td != r.settings.TrustDomain {
		r.report(bindingFinding(o, "MSH3005", "%q is of the trust domain %q, not of %q", written, td, r.settings.TrustDomain).in(path...).
			WithEffect("%s: no trust bundle of that domain is configured, so nobody can check its certificates", none).
			WithHelp("use identities of %s", r.settings.TrustDomain))
		return nil
	}
	_, ns, account, ok := id.Split()
	if !ok {
		r.report(bindingFinding(o, "MSH3004", "%q is not an id that this mesh issues", written).in(path...).
			WithEffect("%s", none).WithHelp("write spiffe://%s/ns/%s/sa/SERVICEACCOUNT", r.settings.TrustDomain, o.Namespace))
		return nil
	}
	if ns != o.Namespace {
		r.report(bindingFinding(o, "MSH3006", "%q is of the namespace %q, but the binding is in %q", written, ns, o.Namespace).in(path...).
			WithEffect("%s: a binding says nothing about other namespaces", none).
			WithHelp("put an IdentityBinding into namespace %s and name it there", ns))
		return nil
	}
	return r.boundAccount(o, subject{Subject: syntax.Subject{Name: account, Namespace: ns}}, path...)
}

// boundPods are the accounts of the pods that a selector selects. A certificate
// says an account, not a pod: an account that also runs other pods is an error.
func (r *resolver) boundPods(o *syntax.Object, selector map[string]string) []ir.Identity {
	chosen := map[ir.Identity]*workload{}
	var out []ir.Identity
	for _, w := range r.crew.Get(o.Namespace) {
		if w.meshed && selected(w.spec.PodLabels, selector) && chosen[w.identity] == nil {
			chosen[w.identity] = w
			out = append(out, w.identity)
		}
	}
	if len(out) == 0 {
		r.report(bindingFinding(o, "MSH3008", "IdentityBinding %q selects no pod of the mesh that is known", o.Name).in("podLabelSelector").
			WithEffect("it stands for nobody").
			WithHelp("mend the labels, add the workloads to the sources, or name the account: facts of a lock have no labels"))
		return nil
	}
	if len(selector) == 0 {
		r.report(bindingFinding(o, "MSH3012", "IdentityBinding %q selects every pod of namespace %q", o.Name, o.Namespace).in("podLabelSelector").
			WithEffect("it stands for %s, and for whoever comes to the namespace later", accountList(out)).
			WithHelp("write the labels of the pods that are meant under `matchLabels`, or name the account with `serviceAccount`"))
	}
	for _, w := range r.crew.Get(o.Namespace) {
		sel, shared := chosen[w.identity]
		if !shared || !w.meshed || selected(w.spec.PodLabels, selector) {
			continue
		}
		r.report(bindingFinding(o, "MSH3007", "the service account %s of the selected pods also runs pods that are not selected", w.identity.Short()).in("podLabelSelector").
			WithEffect("a certificate cannot tell %s from %s: the binding does not stand for the account", sel.name, w.name).
			WithRelated(w.podAt("metadata", "labels"), "not selected, with the same account").
			WithRelated(sel.podAt("metadata", "labels"), "selected").
			WithHelp("give the selected pods a service account of their own"))
		out = slices.DeleteFunc(out, func(id ir.Identity) bool { return id == w.identity })
	}
	return out
}

// accountList names accounts in words, at most three of them.
func accountList(ids []ir.Identity) string {
	const most = 3
	sorted := slices.Sorted(slices.Values(ids))
	var names []string
	for _, id := range sorted[:min(len(sorted), most)] {
		names = append(names, id.Short())
	}
	list := strings.Join(names, ", ")
	if more := len(ids) - most; more > 0 {
		list += " and " + itoa(int64(more)) + " more"
	}
	return list
}

// bindingFinding starts a finding about a scheme of a binding.
func bindingFinding(o *syntax.Object, code diag.Code, format string, args ...any) schemeFinding {
	return schemeFinding{o, code, format, args}
}

type schemeFinding struct {
	obj    *syntax.Object
	code   diag.Code
	format string
	args   []any
}

// in places the finding at a path below spec.schemes.
func (s schemeFinding) in(path ...any) diag.Finding {
	full := append([]any{"spec", "schemes"}, path...)
	return diag.New(s.code, s.obj.AtUnion(full...), s.format, s.args...).About(s.obj.Ref(), pathString(full))
}
