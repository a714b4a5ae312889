package resolve_test

import (
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

func TestSettingsDefaults(t *testing.T) {
	s := story{}.resolve(t).Settings
	want := ir.Settings{
		Name: "default", TrustDomain: "cluster.local", ClusterDomain: "cluster.local", Mode: ir.Strict, Compat: ir.CompatSMI,
		DenialBody: true, DenialHeader: true, TCPDrain: 10 * time.Second,
	}
	if s.Name != want.Name || s.Mode != want.Mode || s.EgressAllowed || s.PlaintextAllowed || s.TCPDrain != want.TCPDrain ||
		s.TrustDomain != want.TrustDomain || !s.DenialBody || !s.DenialHeader || s.MaxStreamDuration != 0 || s.Compat != want.Compat {
		t.Errorf("what was not written is open: %+v", s)
	}
}

func TestSettingsAsWritten(t *testing.T) {
	m := story{config: `  trustDomain: example.org
  mode: audit
  egress: allow
  plaintext: allow
  tcpDrain: 3s
  maxStreamDuration: 1h
  denial: {body: false, header: false}
  certificates: {leaf: 1h}
  ranges: {services: [10.96.0.0/12, "fd00::/112"], pods: [10.244.0.1/16]}
  namespaces: {shop: {mode: strict, egress: deny, plaintext: deny}, client: {mode: audit}}
`}.resolve(t)
	s := m.Settings
	if s.Mode != ir.Audit || !s.EgressAllowed || !s.PlaintextAllowed || s.TCPDrain != 3*time.Second || s.MaxStreamDuration != time.Hour || s.DenialBody || s.DenialHeader {
		t.Errorf("%+v", s)
	}
	if s.Certificates != (ir.Lifetimes{Leaf: time.Hour}) {
		t.Errorf("the control plane is not told how long certificates live: %+v", s.Certificates)
	}
	if len(s.ServiceRanges) != 2 || s.PodRanges[0].String() != "10.244.0.0/16" {
		t.Errorf("ranges %v %v", s.ServiceRanges, s.PodRanges)
	}
	if len(m.Namespaces) != 1 || m.Namespaces[0] != (ir.Namespace{Name: "shop", Mode: ir.Strict}) {
		t.Errorf("namespaces that differ in nothing make equal policies unequal: %+v", m.Namespaces)
	}
	if m.Identities[0] != "spiffe://example.org/ns/client/sa/client" {
		t.Errorf("identity %s", m.Identities[0])
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	m, _, _, found := story{config: `  mode: permisive
  egress: maybe
  compat: istio
  tcpDrain: -1s
  ranges: {services: [10.96.0.0-10.111.255.255]}
  certificates: {leaf: 24h, intermediate: 36h}
  namespaces: {shop: {mode: open}, shpo: {mode: strict}}
`}.run(t)
	lines := map[string]bool{}
	for _, f := range found {
		if f.At().File != "meshc.yaml" || f.At().Line < 6 {
			t.Errorf("%s stands at %s", f.Message, f.At())
		}
		lines[f.At().String()] = true
	}
	if len(lines) < 8 {
		t.Errorf("of 8 faults only these are found: %v", found)
	}
	if m.Settings.Mode != ir.Strict || m.Settings.EgressAllowed || m.Namespace("shop").Mode != ir.Strict {
		t.Errorf("a slip opens the mesh: %+v", m.Settings)
	}
}

func TestEgressWithoutRangesIsTold(t *testing.T) {
	story{config: "  egress: allow  # want MSH4015=allow\n"}.resolve(t)
	story{config: "  namespaces:\n    client:\n      egress: allow  # want MSH4015=allow\n"}.resolve(t)
	story{config: "  egress: allow\n  ranges: {pods: [10.0.0.0/8]}\n"}.resolve(t)
}

func TestSettingsOfANamespaceNobodyKnows(t *testing.T) {
	_, _, _, found := story{config: "  namespaces: {shp: {mode: permissive}}\n"}.run(t)
	if f := only(t, found, "MSH0305"); !strings.Contains(f.Help, `"shop"`) {
		t.Errorf("the namespace that was meant is not named: %+v", f)
	}
}
