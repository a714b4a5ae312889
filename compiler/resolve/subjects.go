package resolve

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// groupAccess is the API group of IdentityBinding.
const groupAccess = "access.smi-spec.io"

// subject is a source or the destination of a target, with its place.
type subject struct {
	syntax.Subject
	obj  *syntax.Object
	path []any  // in the union form
	role string // "source" or "destination"
}

func (s subject) at(field string) diag.Span {
	return s.obj.AtUnion(append(slices.Clone(s.path), field)...)
}

func (s subject) find(code diag.Code, field, format string, args ...any) diag.Finding {
	return diag.New(code, s.at(field), format, args...).About(s.obj.Ref(), pathString(s.obj.PathTo(append(slices.Clone(s.path), field)...)))
}

// named offers a near name, if it can be no other and is no subject already.
func (s subject) named(f diag.Finding, near string) diag.Finding {
	for _, other := range s.obj.TrafficTarget.Sources {
		if s.role == "source" && other.Kind == s.Kind && other.Namespace == s.Namespace && other.Name == near {
			return f
		}
	}
	if !diag.Certain(s.Name, near) {
		return f
	}
	return f.WithFix("name "+near, diag.Edit{Span: s.at("name"), NewText: near})
}

// identities are what the subject stands for; nothing when it is a finding.
func (r *resolver) identities(s subject) []ir.Identity {
	switch s.Kind {
	case "ServiceAccount":
		if s.Group != "" && s.Group != "core" {
			r.report(s.find("MSH1009", "group", "a ServiceAccount has no group %q", s.Group).
				WithEffect("%s", s.effect()).WithHelp("leave `group` out"))
			return nil
		}
		return r.accountSubject(s)
	case "IdentityBinding":
		if s.Group != groupAccess {
			r.report(s.find("MSH1009", "group", "an IdentityBinding has the group %s, not %q", groupAccess, s.Group).
				WithEffect("%s", s.effect()).WithHelp("write `group: %s`", groupAccess))
			return nil
		}
		return r.bindingSubject(s)
	}
	f := s.find("MSH1009", "kind", "a %s cannot be of kind %q", s.role, s.Kind).WithEffect("%s", s.effect())
	if s.Kind == "" {
		f = s.find("MSH1009", "kind", "the %s has no kind", s.role).WithEffect("%s", s.effect())
	}
	help := "write ServiceAccount, or IdentityBinding with `group: " + groupAccess + "`"
	if n := diag.Nearest(s.Kind, []string{"ServiceAccount", "IdentityBinding"}); n != "" {
		help = "did you mean " + n + "? " + help
	}
	r.report(f.WithHelp("%s", help))
	return nil
}

// effect is what it means that the subject stands for nobody.
func (s subject) effect() string {
	if s.role == "source" {
		return "nobody gets access by it"
	}
	return "the target grants nothing"
}

func (r *resolver) accountSubject(s subject) []ir.Identity {
	a, ok := r.knownAccount(s.Namespace, s.Name)
	if !ok {
		f := s.find("MSH3001", "name", "service account %q of namespace %q is not known", s.Name, s.Namespace).
			WithEffect("%s", s.effect()).WithHelp(howToKnow)
		if n := diag.Nearest(s.Name, r.accountNames(s.Namespace)); n != "" {
			f = s.named(f.WithHelp("did you mean %q? Otherwise %s", n, howToKnow), n)
		} else if in := r.accountNamespaces(s.Name); len(in) > 0 {
			f = f.WithHelp("an account of this name is in namespace %s; otherwise %s", strings.Join(in, ", "), howToKnow)
		}
		r.report(f)
		return nil
	}
	r.list(a.id)
	if s.role == "source" && a.outside() {
		shown, says := a.at, "it is known to be outside the mesh"
		if len(a.workloads) > 0 {
			shown, says = namePosition(a.workloads[0].obj), "its workload is outside the mesh"
		}
		r.report(s.find("MSH3011", "name", "no workload of the service account %s is in the mesh", a.id.Short()).
			WithEffect("it has no mesh certificate, so it gets nothing from this grant").
			WithRelated(shown, says).
			WithHelp("take the label `%s: disabled` away, or open the port with `%s` for clients without a certificate", labelInject, annotationPlaintext))
	}
	return []ir.Identity{a.id}
}

func (r *resolver) bindingSubject(s subject) []ir.Identity {
	if b := r.binding.Get(ir.ServiceID{Namespace: s.Namespace, Name: s.Name}); b != nil {
		for _, id := range b.identities {
			r.list(id)
		}
		return b.identities
	}
	f := s.find("MSH3002", "name", "there is no IdentityBinding %q in namespace %q", s.Name, s.Namespace).
		WithEffect("%s", s.effect()).WithHelp("add its manifest to the sources")
	if n := diag.Nearest(s.Name, r.names("IdentityBinding", s.Namespace)); n != "" {
		f = s.named(f.WithHelp("did you mean %q?", n), n)
	}
	r.report(f)
	return nil
}
