package resolve

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// parseFact reads one line of a lock.
func parseFact(line string) (ir.Fact, error) {
	words := strings.Fields(line)
	f := ir.Fact{Kind: words[0]}
	words = words[1:]
	if f.Kind == factAbsent && len(words) > 0 {
		f.Of = words[0]
		words = words[1:]
	}
	of := questionOf(f).of
	if !slices.Contains([]string{factService, factAccount, factRole, factNamespace}, of) || f.Kind == factAbsent && of == factRole {
		return f, fmt.Errorf("%q is no kind of fact", of)
	}
	if len(words) == 0 {
		return f, fmt.Errorf("the line does not say what it is about")
	}
	if err := factSubject(&f, of, words[0]); err != nil {
		return f, err
	}
	for _, w := range words[1:] {
		if err := factWord(&f, w); err != nil {
			return f, err
		}
	}
	slices.Sort(f.Accounts)
	slices.Sort(f.Services)
	return f, nil
}

func factSubject(f *ir.Fact, of, word string) error {
	if of == factNamespace {
		f.Name = word
		if strings.Contains(word, "/") {
			return fmt.Errorf("%q is not the name of a namespace", word)
		}
		return nil
	}
	id, ok := parseServiceID(word)
	if !ok {
		return fmt.Errorf("%q is not NAMESPACE/NAME", word)
	}
	f.Namespace, f.Name = id.Namespace, id.Name
	return nil
}

// allowedWords tells which words may follow a kind of fact.
var allowedWords = map[string][]string{
	factService: {"headless", "outside", "account", "port"}, factAccount: {"outside"},
	factRole: {"service"}, factNamespace: {"label"},
}

func factWord(f *ir.Fact, word string) error {
	name, value, hasValue := strings.Cut(word, "=")
	if !slices.Contains(allowedWords[f.Kind], name) || hasValue == (name == "headless" || name == "outside") {
		return fmt.Errorf("%q is not understood after %s", word, factTitle(*f))
	}
	switch name {
	case "headless":
		f.Headless = true
	case "outside":
		no := false
		f.Meshed = &no
	case "account":
		if _, ok := ir.ParseIdentity("x", value); !ok {
			return fmt.Errorf("%q is no account: write NAMESPACE/SERVICEACCOUNT", value)
		}
		f.Accounts = append(f.Accounts, value)
	case "service":
		if _, ok := parseServiceID(value); !ok {
			return fmt.Errorf("%q is not NAMESPACE/NAME", value)
		}
		f.Services = append(f.Services, value)
	case "port":
		p, err := parseFactPort(value)
		if err != nil {
			return err
		}
		f.Ports = append(f.Ports, p)
	case "label":
		k, v, ok := strings.Cut(value, ":")
		if !ok || k == "" {
			return fmt.Errorf("%q is not label=NAME:VALUE", word)
		}
		if f.Labels == nil {
			f.Labels = map[string]string{}
		}
		f.Labels[k] = v
	}
	return nil
}

func parseFactPort(s string) (ir.FactPort, error) {
	parts := strings.Split(s, ",")
	number, protocol, _ := strings.Cut(parts[0], "/")
	n, err := strconv.ParseUint(number, 10, 16)
	p := ir.FactPort{Port: int64(n), Protocol: or(protocol, "TCP")}
	if err != nil || n == 0 || p.Protocol != "TCP" && p.Protocol != "UDP" {
		return p, fmt.Errorf("%q is not a port: write NUMBER or NUMBER/UDP", parts[0])
	}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		if value == "" {
			return p, fmt.Errorf("%q of port %d has no value", name, p.Port)
		}
		switch name {
		case "name":
			p.Name = value
		case "app":
			p.AppProtocol = value
		case "target":
			if t, err := strconv.ParseUint(value, 10, 16); err == nil && t > 0 {
				p.TargetPort = int64(t)
			} else {
				p.TargetName = value
			}
		default:
			return p, fmt.Errorf("%q of port %d is none of name, app, target", name, p.Port)
		}
	}
	return p, nil
}

// FactsOf is what a tree shows as facts, sorted: what a tree of applications can
// give to the lock of a tree of policy. Services with ports and accounts,
// accounts, roles, and namespaces with their labels of the mesh.
func FactsOf(mesh *ir.Mesh, inventory *ir.Inventory) []ir.Fact {
	out := append(namespaceFacts(inventory), accountFacts(mesh, inventory)...)
	for _, s := range mesh.Services {
		f := ir.Fact{Kind: factService, Namespace: s.ID.Namespace, Name: s.ID.Name, Headless: s.Headless}
		for _, id := range s.Accounts {
			f.Accounts = append(f.Accounts, id.Short())
		}
		if s.Outside {
			no := false
			f.Meshed = &no
		}
		for _, p := range s.Ports {
			f.Ports = append(f.Ports, factPort(p))
		}
		out = append(out, f)
	}
	for _, ro := range mesh.Roles {
		_, ns, name, ok := ro.Identity.Split()
		if !ok {
			continue
		}
		f := ir.Fact{Kind: factRole, Namespace: ns, Name: name}
		for _, s := range ro.Services {
			f.Services = append(f.Services, s.String())
		}
		out = append(out, f)
	}
	slices.SortFunc(out, compareFacts)
	return out
}

func namespaceFacts(inventory *ir.Inventory) []ir.Fact {
	var out []ir.Fact
	for _, n := range inventory.Namespaces {
		f := ir.Fact{Kind: factNamespace, Name: n.Name}
		for _, label := range []string{labelMesh, labelInject} {
			if v := n.Labels[label]; v != "" {
				if f.Labels == nil {
					f.Labels = map[string]string{}
				}
				f.Labels[label] = v
			}
		}
		out = append(out, f)
	}
	return out
}

// accountFacts are the accounts of the mesh, those whose workloads are all outside
// of it, and the one that Kubernetes makes in every namespace.
func accountFacts(mesh *ir.Mesh, inventory *ir.Inventory) []ir.Fact {
	ids := map[ir.Identity]bool{}
	for _, id := range mesh.Identities {
		ids[id] = true
	}
	for _, n := range inventory.Namespaces {
		ids[ir.NewIdentity(mesh.Settings.TrustDomain, n.Name, "default")] = true
	}
	inside := map[ir.Identity]bool{}
	for _, w := range inventory.Workloads {
		ids[w.Identity] = true
		inside[w.Identity] = inside[w.Identity] || w.Meshed
	}
	var out []ir.Fact
	for id := range ids { // FactsOf sorts
		_, ns, name, ok := id.Split()
		if !ok {
			continue
		}
		f := ir.Fact{Kind: factAccount, Namespace: ns, Name: name}
		if in, runs := inside[id]; runs && !in {
			f.Meshed = &in
		}
		out = append(out, f)
	}
	return out
}

// factPort says a port with its protocol made explicit: who reads the lock does
// not see the port's name as the tree does.
func factPort(p ir.Port) ir.FactPort {
	f := ir.FactPort{Port: int64(p.Number), Name: p.Name, Protocol: "TCP", AppProtocol: string(p.Protocol), TargetPort: int64(p.TargetPort), TargetName: p.TargetName}
	if p.Protocol == ir.UDP {
		f.Protocol, f.AppProtocol = "UDP", ""
	}
	if p.TargetName != "" {
		f.TargetPort = 0
	}
	return f
}
