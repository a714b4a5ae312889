package contract

import (
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

const thisEnds = "this ends"

// services that policy relies on, and such as need no grant to be called.
func (j *judge) services() {
	for _, f := range j.of(kindService) {
		svc, o := j.app.service(f.service())
		if svc == nil {
			j.gone(f)
			continue
		}
		if o == nil {
			continue
		}
		if svc.Headless != f.Headless {
			was, is := "a virtual address", "headless"
			if f.Headless {
				was, is = is, was
			}
			j.report(fault{code: "MSH0376", at: o.At("spec", "clusterIP"), object: o, readers: f.Readers, fact: f, now: "its addresses are refused at the caller, so " + thisEnds},
				"service %q was locked with %s and comes with %s", f.service(), was, is)
		}
		if workloads := j.app.behind(svc.ID); svc.Outside && !f.Outside && len(workloads) > 0 && !j.disabled() {
			at, w := j.app.workloadAt(workloads[0])
			j.report(fault{code: "MSH0375", at: at, object: w, readers: f.Readers, fact: f, now: "calls to it are not mTLS any more, and its endpoints stay out, so " + thisEnds},
				"the workloads behind service %q leave the mesh", f.service())
		}
	}
	if j.Mode != ir.Permissive {
		return
	}
	for _, svc := range j.app.Mesh.Services {
		o := j.app.objects["Service/"+svc.ID.String()]
		if _, known := j.facts[kindService+" "+svc.ID.String()]; known || svc.ID.Namespace != j.Namespace || o == nil {
			continue
		}
		j.report(fault{code: "MSH0384", at: o.At("metadata", "name"), object: o, readers: j.modeReaders(), now: "every identity of the mesh may call it once it is locked", help: helpWiden},
			"service %q is new in a permissive namespace", svc.ID)
	}
}

// disabled: the namespace itself has left the mesh, and that is a finding.
func (j *judge) disabled() bool {
	o := j.app.objects["Namespace/"+j.Namespace]
	return o != nil && o.Labels[labelInject] == "disabled"
}

// modeReaders are the lines that make the namespace permissive.
func (j *judge) modeReaders() []Reader {
	var out []Reader
	for _, f := range j.of(kindService) {
		for _, r := range f.Readers {
			if strings.HasPrefix(r.Object, "Mesh/") {
				r.Effect = ""
				out = append(out, r)
			}
		}
	}
	return distinct(out)
}

// gone: a service that the manifests do not show. If they are a part only, it
// counts when a workload that was behind it is there.
func (j *judge) gone(f Fact) {
	at, o := j.app.spaceAt(j.Namespace)
	sign := false
	for _, b := range j.of(kindBehind) {
		if b.service() == f.service() && len(j.app.workloads[b.Account]) > 0 {
			at, o = j.app.workloadAt(j.app.workloads[b.Account][0])
			sign = true
		}
	}
	if j.app.Part && !sign {
		return
	}
	j.report(fault{code: "MSH0370", at: at, object: o, readers: f.Readers, fact: f, now: thisEnds}, "service %q is not there any more", f.service())
}

// ports that are gone, or speak otherwise.
func (j *judge) ports() {
	for _, f := range j.of(kindPort) {
		svc, o := j.app.service(f.service())
		if svc == nil || o == nil {
			continue
		}
		p, ok := portOf(svc, f)
		switch {
		case !ok:
			j.portGone(svc, o, f)
			continue
		case class(p.Protocol) != class(f.Protocol):
			j.report(fault{code: "MSH0372", at: portAt(o, p, "appProtocol", "name"), object: o, readers: f.Readers, fact: f, now: "the port is closed for clients and servers, so " + thisEnds},
				"port %d of service %q was locked as %s and comes as %s", f.Port, f.service(), f.Protocol, p.Protocol)
		}
		if p.Plaintext && !f.Plaintext {
			j.report(fault{code: "MSH0383", at: o.At("metadata", "annotations", annotationPlaintext), object: o, readers: f.Readers, fact: f, now: "clients without a mesh certificate may reach it, besides this", help: helpWiden},
				"port %d of service %q is opened to clients without a mesh certificate", f.Port, f.service())
		}
	}
}

// portOf finds the port that a fact is about; a TCP port that has become UDP is
// the same port.
func portOf(svc *ir.Service, f Fact) (ir.Port, bool) {
	var other *ir.Port
	for i, p := range svc.Ports {
		if p.Number != f.Port {
			continue
		}
		if (p.Protocol == ir.UDP) == (f.Protocol == ir.UDP) {
			return p, true
		}
		other = &svc.Ports[i]
	}
	if other == nil {
		return ir.Port{}, false
	}
	return *other, true
}

func (j *judge) portGone(svc *ir.Service, o *syntax.Object, f Fact) {
	at, instead := portAt(o, ir.Port{}, "ports"), ""
	for _, p := range svc.Ports {
		_, known := j.facts[portFact(svc.ID, p).about()]
		if !known && class(p.Protocol) == class(f.Protocol) {
			at, instead = portAt(o, p, "port"), "; port "+strconv.Itoa(int(p.Number))+" is new"
			break
		}
	}
	j.report(fault{code: "MSH0371", at: at, object: o, readers: f.Readers, fact: f, now: thisEnds}, "port %d of service %q is not there any more%s", f.Port, f.service(), instead)
}

// splits: a new port of a split's root that no backend has leads nowhere.
func (j *judge) splits() {
	for _, f := range j.of(kindSplit) {
		root, o := j.app.service(f.service())
		if root == nil || o == nil || len(f.Services) == 0 {
			continue
		}
		for _, p := range root.Ports {
			_, known := j.facts[portFact(root.ID, p).about()]
			if known || slices.ContainsFunc(f.Services, func(leaf ir.ServiceID) bool { return j.has(leaf, p) }) {
				continue
			}
			j.report(fault{code: "MSH0379", at: portAt(o, p, "port"), object: o, readers: f.Readers, fact: f, now: "calls to it would lead nowhere, so the policy cannot be locked again, because of this",
				help: "give a backend the port as well, or leave the port to a service that is not split (%s)"},
				"port %d of service %q is new, and none of its backends has it: %s", p.Number, root.ID, some(f.Services, ir.ServiceID.String))
		}
	}
}

// has tells whether a service has a port: by its manifest, else by the contract.
func (j *judge) has(id ir.ServiceID, p ir.Port) bool {
	if svc, _ := j.app.service(id); svc != nil {
		return slices.ContainsFunc(svc.Ports, func(o ir.Port) bool { return o.Number == p.Number && (o.Protocol == ir.UDP) == (p.Protocol == ir.UDP) })
	}
	_, ok := j.facts[portFact(id, p).about()]
	return ok
}

// targets: ports that come to share a target port share their grants; ports that
// were compiled as one and part are closed.
func (j *judge) targets() {
	var now []Fact
	for _, svc := range j.app.Mesh.Services {
		if svc.ID.Namespace != j.Namespace || j.app.objects["Service/"+svc.ID.String()] == nil {
			continue
		}
		for _, p := range svc.Ports {
			now = append(now, portFact(svc.ID, p))
		}
	}
	for i, a := range now {
		for _, b := range now[i+1:] {
			if (a.Protocol == ir.UDP) == (b.Protocol == ir.UDP) && (j.together(a.service(), b.service()) || j.runTogether(a, b)) {
				j.pair(a, b)
			}
		}
	}
}

// runTogether tells whether a workload of the manifests backs both services.
func (j *judge) runTogether(a, b Fact) bool {
	return slices.ContainsFunc(j.app.behind(a.service()), func(w *ir.InventoryWorkload) bool { return slices.Contains(w.Services, b.service()) })
}

// pair judges two ports that a workload serves both, if one of them moved or is
// new: the rest is as it was locked.
func (j *judge) pair(a, b Fact) {
	oldA, knownA := j.facts[a.about()]
	oldB, knownB := j.facts[b.about()]
	movedA, movedB := !knownA || oldA.Target != a.Target, !knownB || oldB.Target != b.Target
	were, are := knownA && knownB && oldA.Target == oldB.Target, a.Target == b.Target
	if !knownA && !knownB || !movedA && !movedB || were == are || class(a.Protocol) != class(b.Protocol) {
		return
	}
	moved, other := b, a
	if movedA && !movedB {
		moved, other = a, b
	}
	svc, o := j.app.service(moved.service())
	port, _ := portOf(svc, moved)
	f := fault{at: portAt(o, port, "targetPort"), object: o, readers: distinct(append(slices.Clone(oldA.Readers), oldB.Readers...)), fact: j.known(moved, other)}
	if are {
		f.code, f.help = "MSH0382", helpWiden
		f.now = "until the policy is locked again the port that moved is closed; then whoever may call one of the two may call both"
		j.report(f, "port %s comes to lead to target port %s, as %s does", moved.portID(), moved.Target, other.portID())
		return
	}
	f.code, f.now = "MSH0377", "both are closed, because their grants were compiled as one, so "+thisEnds
	j.report(f, "ports %s and %s shared a target port and lead to different ones", moved.portID(), other.portID())
}

// known is the first of two facts that the contract has.
func (j *judge) known(a, b Fact) Fact {
	if f, ok := j.facts[a.about()]; ok {
		return f
	}
	return j.facts[b.about()]
}
