package main

import (
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/xds/link"
)

// printEnvoy prints the configuration of an identity as Envoy reads it from a file.
func (f *inspectFlags) printEnvoy(s streams, report *reportFlags, b *bundle.Bundle, id ir.Identity) error {
	snap := placeholders(b)
	if f.catalog != "" {
		data, err := os.ReadFile(f.catalog)
		if err != nil {
			return input(err)
		}
		var faults diag.List
		if snap, faults = file.Parse(f.catalog, data); faults.HasErrors() {
			return report.emit(s, faults, nil)
		}
	}
	world, findings := link.New(b, snap)
	view, err := f.view(world, b, id)
	if err != nil {
		return usage(err)
	}
	if f.catalog != "" { // of placeholders there is nothing to find
		findings.Add(view.Findings()...)
		if err := report.emit(s, findings, nil); err != nil {
			return err
		}
	} else if withheld := onlyErrors(view.Findings()); len(withheld) > 0 {
		return report.emit(s, withheld, nil)
	}
	config, err := staticEnvoy(world, view, id, f.workload)
	if err != nil {
		return engine(fmt.Errorf("the configuration of %s: %w", id.Short(), err))
	}
	out, err := bootstrap.Print(config)
	if err != nil {
		return engine(err)
	}
	_, err = s.Out.Write(out)
	return err
}

func onlyErrors(l diag.List) diag.List {
	return slices.DeleteFunc(slices.Clone(l), func(f diag.Finding) bool { return f.Severity < diag.Error })
}

// view picks the role whose inbound side is shown.
func (f *inspectFlags) view(w *link.World, b *bundle.Bundle, id ir.Identity) (link.View, error) {
	if f.workload != "" {
		return w.ForWorkload(id, f.workload)
	}
	var names []string
	for _, r := range b.Plan.Roles {
		if r.Identity != id {
			continue
		}
		name := ir.RoleName(r.Identity, r.Services)
		if name == f.role {
			return w.For(id, r.Services)
		}
		names = append(names, name)
	}
	switch {
	case f.role != "":
		return link.View{}, fmt.Errorf("%s has no role %q; it has %q", id.Short(), f.role, names)
	case len(names) > 1:
		return link.View{}, fmt.Errorf("%s has several roles: say which with --role, one of %q", id.Short(), names)
	}
	return w.ForWorkload(id, "")
}

// firstPlaceholder is the port that the first named target port is shown with.
const firstPlaceholder = 20000

// placeholders stands for a catalog where there is none: addresses of
// 240.0.0.0/4 (which nobody routes) in order of service, ports from 20000 up for
// target ports that are known by name only.
func placeholders(b *bundle.Bundle) *catalog.Snapshot {
	space := netip.MustParsePrefix("240.0.0.0/4")
	next := space.Addr()
	take := func() netip.Addr { next = next.Next(); return next }
	named := targetNames(b.Mesh)
	snap := &catalog.Snapshot{}
	if len(b.Mesh.Settings.ServiceRanges)+len(b.Mesh.Settings.PodRanges) == 0 {
		snap.ServiceRanges = []netip.Prefix{space}
	}
	for _, s := range b.Mesh.Services {
		service := catalog.Service{ID: s.ID, Headless: s.Headless}
		if s.Headless {
			service.Endpoints = onePod(s, take())
		} else {
			service.VIPs = []netip.Addr{take()}
		}
		for _, p := range s.Ports {
			target := p.TargetPort
			if target == 0 {
				target = firstPlaceholder + uint16(slices.Index(named, p.TargetName))
			}
			service.Ports = append(service.Ports, catalog.ServicePort{Port: p.Number, Name: p.Name, Protocol: p.Protocol, TargetPort: target})
		}
		snap.Services = append(snap.Services, service)
	}
	return snap
}

// onePod is a headless service's only placeholder: its listeners are per pod.
func onePod(s ir.Service, at netip.Addr) []catalog.Endpoint {
	e := catalog.Endpoint{Address: at, Workload: s.ID.String() + "-0", Hostname: s.ID.Name + "-0", Meshed: !s.Outside}
	if len(s.Accounts) > 0 {
		e.Identity = s.Accounts[0]
	}
	return []catalog.Endpoint{e}
}

// targetNames are the names of target ports whose numbers nobody knows, sorted.
func targetNames(m *ir.Mesh) []string {
	var out []string
	for _, s := range m.Services {
		for _, p := range s.Ports {
			if p.TargetPort == 0 {
				out = append(out, p.TargetName)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
