package syntax

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
)

// body is the map that holds an SMI object's fields in its version: the top, or
// `spec` (row 2). What stands in the place of another version is reported once,
// and read from there, so that other faults show too.
func (d *decoder) body(root *record, fields ...string) *record {
	o := d.obj
	root.get("status") // written by controllers, never read
	if topLevel(o.Kind, o.APIVersion) {
		spec := root.get("spec")
		if spec == nil {
			return root
		}
		f := diag.New("MSH0107", spec.keySpan(), "%s has no `spec` in %s: its fields stand at the top", o.Kind, o.APIVersion).
			WithEffect("everything under `spec` would be dropped").
			WithHelp("write the fields of `spec` at the top, or use a later version of the API")
		d.fault(f, spec.path())
		return spec.record()
	}
	var misplaced []string
	for i := 0; i+1 < len(root.c.n.Content); i += 2 {
		k := root.c.n.Content[i]
		if !slices.Contains(fields, k.Value) && k.Value != "specs" {
			continue
		}
		at := root.get(k.Value)
		if at == nil {
			continue
		}
		misplaced = append(misplaced, k.Value)
		f := diag.New("MSH0107", at.keySpan(), "%s has %q under `spec` in %s, not at the top", o.Kind, at.key, o.APIVersion).
			WithEffect("the API server would drop it, and the object would be empty").
			WithHelp("indent it under `spec:`")
		d.fault(f, at.path())
	}
	if len(misplaced) > 0 && root.get("spec") == nil {
		return &record{c: root.c, open: true}
	}
	if o.Kind == "TCPRoute" && version(o.APIVersion) == "v1alpha3" {
		return root.get("spec").record() // an empty object in every example of the spec
	}
	return root.need("spec").record()
}

func decodeTarget(d *decoder, root *record) {
	t := &TrafficTarget{}
	d.obj.TrafficTarget = t
	body := d.body(root, "destination", "rules", "sources")
	if body == nil {
		return
	}
	v := version(d.obj.APIVersion)
	rules := "rules"
	if v == "v1alpha1" {
		rules = "specs"
	}
	if dest := body.get("destination"); dest != nil {
		t.Destination = subject(dest, v)
	}
	for _, r := range body.get(rules).items() {
		t.Rules = append(t.Rules, targetRule(r))
	}
	for _, s := range body.get("sources").items() {
		t.Sources = append(t.Sources, subject(s, v))
	}
	body.done()
}

// subject reads a source or a destination: `port` until v1alpha2, `group` in v1alpha4.
func subject(c *cursor, version string) Subject {
	r := c.record()
	if r == nil {
		if c.null() {
			c.wrongType("a map")
		}
		return Subject{}
	}
	s := Subject{
		Kind:      r.need("kind").text(),
		Name:      r.need("name").checkedName(),
		Namespace: r.get("namespace").checkedLabel(),
	}
	if version == "v1alpha1" || version == "v1alpha2" {
		if p := r.narrow("port"); p != nil {
			if n, ok := wholeNumber(p.n); !ok || n != 0 || version != "v1alpha1" {
				n := p.port()
				s.Port = &n
			}
		}
	}
	if version == "v1alpha4" {
		s.Group = r.get("group").text()
	}
	r.done()
	return s
}

func targetRule(c *cursor) Rule {
	r := c.record()
	if r == nil {
		if c.null() {
			c.wrongType("a map")
		}
		return Rule{}
	}
	out := Rule{Kind: r.need("kind").text(), Name: r.need("name").checkedName()}
	if m := r.narrow("matches"); m != nil {
		out.HasMatches, out.Matches = true, m.strings()
	}
	r.done()
	return out
}

func decodePortRoute(d *decoder, root *record) {
	out := &PortRoute{}
	if d.obj.Kind == "UDPRoute" {
		d.obj.UDPRoute = out
	} else {
		d.obj.TCPRoute = out
	}
	body := d.body(root, "matches")
	if body == nil || version(d.obj.APIVersion) != "v1alpha4" {
		body.done()
		return
	}
	if m := body.narrow("matches").record(); m != nil {
		m.get("name").text() // the SDK writes it; it names nothing
		if ports := m.narrow("ports"); ports != nil {
			out.HasPorts = true
			for _, p := range ports.items() {
				out.Ports = append(out.Ports, p.port())
			}
		}
		m.done()
	}
	body.done()
}

func decodeBinding(d *decoder, root *record) {
	b := &IdentityBinding{}
	d.obj.IdentityBinding = b
	body := d.body(root, "schemes")
	if schemes := body.need("schemes").record(); schemes != nil {
		if sel := schemes.get("podLabelSelector").record(); sel != nil {
			if b.PodLabelSelector = sel.need("matchLabels").stringMap(); b.PodLabelSelector == nil {
				b.PodLabelSelector = map[string]string{}
			}
			sel.done()
		}
		b.SPIFFEIdentities = schemes.get("spiffeIdentities").strings()
		b.ServiceAccount = schemes.get("serviceAccount").checkedName()
		schemes.done()
	}
	body.done()
}

// checkedName is a text that must be a Kubernetes name.
func (c *cursor) checkedName() string {
	if c.text() == "" {
		return ""
	}
	return c.dnsSubdomain()
}

// checkedLabel is a text that must be a namespace's name.
func (c *cursor) checkedLabel() string {
	if c.text() == "" {
		return ""
	}
	return c.dnsLabel()
}

// plainText tells whether a name of no set form can be printed in one line.
func plainText(s string) bool {
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == 0xfffd || r >= 0x80 && r < 0xa0 {
			return false
		}
	}
	return len(s) <= 253
}
