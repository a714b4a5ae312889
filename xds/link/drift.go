package link

import (
	"fmt"
	"net/netip"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// source is what findings of link are about: no file, but the catalog.
var source = diag.Span{File: "catalog"}

func object(id ir.ServiceID) diag.Object {
	return diag.Object{Kind: "Service", Namespace: id.Namespace, Name: id.Name}
}

func leftOut(c *planCluster, out []catalog.Endpoint) diag.List {
	var l diag.List
	for _, e := range out {
		f := diag.New("MSH4602", source, "endpoint %q of service %q stays out: %s", e.Address, c.Port, why(c, e)).
			WithEffect("no client of the mesh is sent to it").About(object(c.Port.Service), "endpoints")
		if stranger(c, e) {
			f = f.WithHelp("write `trustDomain: %s` into the catalog, under `spec`", c.Accounts[0].TrustDomain())
		} else if !e.Meshed && !c.outside {
			f = f.WithHelp("give workload %q a sidecar, or take it out of the service", e.Workload)
		} else {
			f = f.WithHelp("compile again with what runs behind the service (`meshc lock --update`), or take workload %q out of it", e.Workload)
		}
		l.Add(f)
	}
	return l
}

// stranger tells of an endpoint whose certificate would be of another trust domain
// than the mesh's: most often a catalog that forgets to name it.
func stranger(c *planCluster, e catalog.Endpoint) bool {
	return e.Meshed && !c.outside && len(c.Accounts) > 0 && e.Identity.TrustDomain() != c.Accounts[0].TrustDomain()
}

func why(c *planCluster, e catalog.Endpoint) string {
	switch {
	case stranger(c, e):
		return fmt.Sprintf("it is %s, and the mesh is of the trust domain %s", e.Identity, c.Accounts[0].TrustDomain())
	case c.outside && e.Meshed:
		return "it has a sidecar, and the service was compiled as outside the mesh"
	case !c.outside && !e.Meshed:
		return "it has no sidecar, and the service is meshed"
	case !e.Address.IsValid():
		return "it has no address"
	}
	for _, a := range c.Accounts {
		if a == e.Identity || c.outside {
			return "its target port is not known"
		}
	}
	return fmt.Sprintf("its account %s is not among those the bundle knows behind the service", e.Identity.Short())
}

func unknownService(id ir.ServiceID) diag.Finding {
	return diag.New("MSH4601", source, "service %q is in the bundle and not in the catalog", id).
		WithEffect("it has no address and no endpoint: calls to it are refused at the caller").
		WithHelp("start it, or add it to the catalog").About(object(id), "")
}

func closedPort(c *planCluster, svc *catalog.Service) diag.Finding {
	for _, p := range svc.Ports {
		if p.Port == c.Port.Port {
			return diag.New("MSH4603", source, "port %q was compiled as %s and runs as %s", c.Port, c.port.Protocol, p.Protocol).
				WithEffect("the port is closed for clients and servers, because its policy does not fit the protocol").
				WithHelp("compile again with the new protocol, or take the change back").About(object(c.Port.Service), "ports")
		}
	}
	return diag.New("MSH4603", source, "port %q was compiled and the running service does not have it", c.Port).
		WithEffect("the port is closed").
		WithHelp("compile again, or give the service its port back").About(object(c.Port.Service), "ports")
}

func headlessDrift(p planPort) diag.Finding {
	was, is := "a virtual address", "headless"
	if p.Headless {
		was, is = is, was
	}
	return diag.New("MSH4604", source, "port %q was compiled for a service that has %s, and it runs with %s", p.Port, was, is).
		WithEffect("calls to its addresses are refused at the caller").
		WithHelp("compile again").About(object(p.Port.Service), "clusterIP")
}

func partedTargets(p ir.InboundPlan, where string) diag.Finding {
	return diag.New("MSH4605", source, "the service ports of one target port lead to different ones: %s", where).
		WithEffect("all of them are closed: their grants were compiled as one").
		WithHelp("compile again").About(object(p.Services[0].Service), "ports")
}

func occupiedTarget(role *ir.RolePlan, p ir.InboundPlan, to uint16, other ir.InboundPlan) diag.Finding {
	return diag.New("MSH4606", source, "%q has moved to target port %d of %s, which carries the grants of %q", p.Services[0], to, role.Identity.Short(), other.Services[0]).
		WithEffect("%q is closed: who may call it may not be who may call the other", p.Services[0]).
		WithHelp("compile again, so that the two are judged together").About(object(p.Services[0].Service), "ports")
}

func movedTarget(p ir.InboundPlan, to uint16) diag.Finding {
	return diag.New("MSH4607", source, "%q was compiled for target port %d and runs on %d", p.Services[0], p.TargetPort, to).
		WithEffect("its grants hold on the new port").
		WithHelp("compile again when it suits").About(object(p.Services[0].Service), "ports")
}

func unknownRole(role string) diag.Finding {
	return diag.New("MSH4608", source, "the role %q was not compiled", role).
		WithEffect("its proxies take no calls; what they may call holds").
		WithHelp("compile again with the services that these workloads back (`meshc lock --update`)")
}

func egressWithoutRanges() diag.Finding {
	return diag.New("MSH4609", source, "egress is allowed and the mesh's address ranges are not known").
		WithEffect("egress stays denied: without the ranges it would be a way round the mesh's policy").
		WithHelp("set `ranges` in meshc.yaml, or in the catalog")
}

func doubleAddress(a netip.AddrPort, first, second ir.PortID) diag.Finding {
	return diag.New("MSH4610", source, "%q and %q both claim %s", first, second, a).
		WithEffect("a client that may call both reaches %q there", first).
		WithHelp("give each service its own address, or select different workloads").About(object(second.Service), "")
}

func withheld(name string, err error) diag.Finding {
	return diag.New("MSH4611", source, "%q as composed is not what the bundle and the catalog say: %v", name, err).
		WithEffect("it is withheld; what was served under its name before stays").
		WithHelp("this is a defect of meshc: please report it with the bundle's digest")
}
