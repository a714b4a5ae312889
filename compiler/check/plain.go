package check

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// waitingClients tells that clients without a certificate wait a second for the
// greeting of a server that speaks first (DESIGN 7).
func waitingClients(j *judge, id ir.ServiceID) diag.List {
	var found diag.List
	s := j.Service(id)
	for _, p := range s.Ports {
		if !p.Plaintext || p.Protocol != ir.TCPServerFirst || s.Outside {
			continue
		}
		o, path := j.servicePort(ir.PortID{Service: s.ID, Port: p.Number})
		if o == nil {
			continue
		}
		found.Add(finding(o, "MSH4014", path, "clients without a mesh certificate wait one second at port %d of service %q", p.Number, o.Name).
			WithEffect("the proxy looks for the first bytes of TLS, and where the server speaks first none come").
			WithHelp("put the clients into the mesh; these do not wait"))
	}
	return found
}

// egressWithoutRanges tells that egress is allowed while nothing says which
// addresses are the mesh's own (DESIGN 4).
func egressWithoutRanges(j *judge) diag.List {
	s, config := j.Settings(), j.Config()
	if len(s.ServiceRanges)+len(s.PodRanges) > 0 || config.Object == nil {
		return nil
	}
	say := func(path ...any) diag.Finding {
		return finding(config.Object, "MSH4015", path, "egress is allowed, but `ranges` does not say which addresses are the mesh's own").
			WithEffect("egress stays denied, unless the lab or the catalog of the cluster supplies the ranges").
			WithHelp("write `ranges: {services: [...], pods: [...]}` with the address ranges of the cluster")
	}
	if s.EgressAllowed {
		return diag.List{say("spec", "egress")}
	}
	for _, name := range slices.Sorted(maps.Keys(config.Namespaces)) {
		if j.Policy(name).EgressAllowed {
			return diag.List{say("spec", "namespaces", name, "egress")}
		}
	}
	return nil
}
