package syntax

import (
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

// fact reads an entry of `assume`: one of service, account, namespace and absent.
func fact(c *cursor) (ir.Fact, bool) {
	r := c.record()
	if r == nil {
		return ir.Fact{}, false
	}
	f := ir.Fact{At: c.span()}
	for _, kind := range []string{"service", "account", "role", "namespace", "absent"} {
		if v := r.get(kind); v != nil {
			factName(&f, kind, v)
		}
	}
	if f.Kind == "" {
		e := c.fault("MSH0104", "the fact does not say what it is about")
		*e = e.WithHelp("write one of `service: NAMESPACE/NAME`, `account: NAMESPACE/NAME`, `namespace: NAME`, `absent: service NAMESPACE/NAME`")
	}
	f.Services = r.get("services").strings()
	for _, p := range r.get("ports").items() {
		f.Ports = append(f.Ports, factPort(p))
	}
	if v := r.get("headless").boolean(); v != nil {
		f.Headless = *v
	}
	f.Accounts = r.get("accounts").strings()
	slices.Sort(f.Accounts)
	f.Meshed = r.get("meshed").boolean()
	f.Labels = r.get("labels").stringMap()
	f.Until = r.get("until").text()
	if _, err := time.Parse(time.DateOnly, f.Until); f.Until != "" && err != nil {
		e := r.get("until").fault("MSH0118", "%q is not a day", f.Until)
		*e = e.WithHelp("write it as 2027-01-31")
	}
	r.done()
	return f, f.Kind != ""
}

// factName reads whom a fact is about.
func factName(f *ir.Fact, kind string, c *cursor) {
	text := c.text()
	f.Kind = kind
	if kind == "absent" {
		of, name, _ := strings.Cut(text, " ")
		f.Of, text = of, name
		kind = of
	}
	ns, name, both := strings.Cut(text, "/")
	if kind == "namespace" {
		ns, name, both = "", text, true
	}
	f.Namespace, f.Name = ns, name
	known := kind == "service" || kind == "account" || kind == "role" || kind == "namespace"
	if !known || !both || !isSubdomain(name) || kind != "namespace" && !isLabel(ns) {
		e := c.fault("MSH0118", "%q does not name what the fact is about", c.quietText())
		*e = e.WithHelp("write NAMESPACE/NAME (a namespace: NAME; an absence: `service NAMESPACE/NAME`)")
	}
}

func factPort(c *cursor) ir.FactPort {
	if v, ok := wholeNumber(c.n); ok && v > 0 {
		return ir.FactPort{Port: c.port(), Protocol: "TCP"}
	}
	r := c.record()
	p := ir.FactPort{
		Port: r.need("port").port(), Name: r.get("name").text(),
		Protocol: r.get("protocol").oneOf("TCP", "UDP"), AppProtocol: r.get("appProtocol").text(),
	}
	if p.Protocol == "" {
		p.Protocol = "TCP"
	}
	if t := r.get("targetPort"); t != nil {
		if _, whole := wholeNumber(t.n); whole {
			p.TargetPort = t.port()
		} else {
			p.TargetName = t.text()
		}
	}
	r.done()
	return p
}
