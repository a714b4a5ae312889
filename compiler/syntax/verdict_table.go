package syntax

import (
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/source"
)

func decodeTable(d *decoder, root *record) {
	t := &VerdictTable{Object: d.obj, Name: d.obj.Name}
	d.obj.table = t
	spec := root.need("spec").record()
	if spec == nil {
		return
	}
	for _, c := range spec.need("cases").items() {
		t.Cases = append(t.Cases, verdictCase(c))
	}
	spec.done()
}

func verdictCase(c *cursor) VerdictCase {
	out := VerdictCase{At: c.span()}
	r := c.record()
	if r == nil {
		return out
	}
	out.Name = r.get("name").text()
	out.From = r.need("from").text()
	out.To = r.need("to").text()
	out.HTTP = verdictRequest(r.get("http"))
	if tcp := r.present("tcp"); tcp != nil {
		out.TCP = true
		tcp.record().done()
	}
	out.Expect = r.need("expect").oneOf("allow", "deny", "mixed")
	if v, ok := r.get("status").wholeOrNil(); ok {
		if out.Status = int(v); v < 100 || v > 599 {
			f := r.get("status").fault("MSH0118", "%d is not a status of HTTP", v)
			*f = f.WithHelp("statuses are numbers from 100 to 599")
		}
	}
	out.Split = verdictSplit(r.get("split"))
	out.Because = verdictBecause(r.get("because"))
	r.done()
	if out.HTTP != nil && out.TCP {
		f := c.fault("MSH0117", "the case is both http and tcp")
		*f = f.WithHelp("write two cases")
	}
	return out
}

// present is a field that was written, even with nothing in it.
func (r *record) present(name string) *cursor {
	r.asked = append(r.asked, name)
	if _, v := source.Step(r.c.n, name); v != nil {
		return r.c.down(name, v)
	}
	return nil
}

func verdictRequest(c *cursor) *VerdictHTTP {
	r := c.record()
	if r == nil {
		return nil
	}
	h := &VerdictHTTP{Method: r.get("method").text(), Path: r.get("path").text()}
	if h.Method == "" {
		h.Method = "GET"
	}
	if h.Path == "" {
		h.Path = "/"
	}
	for _, e := range r.get("headers").entries() {
		if e.n.Kind == yaml.SequenceNode {
			for _, line := range e.strings() {
				h.Headers = append(h.Headers, Header{Name: e.key.(string), Regex: line})
			}
			continue
		}
		h.Headers = append(h.Headers, Header{Name: e.key.(string), Regex: e.text()})
	}
	sort.SliceStable(h.Headers, func(i, j int) bool {
		return strings.ToLower(h.Headers[i].Name) < strings.ToLower(h.Headers[j].Name)
	})
	r.done()
	return h
}

func verdictSplit(c *cursor) map[string]int {
	if c == nil {
		return nil
	}
	out := map[string]int{}
	for _, e := range c.entries() {
		v, ok := e.whole()
		if ok && (v < 0 || v > 100) {
			f := e.fault("MSH0118", "%d is not a percentage", v)
			*f = f.WithHelp("write a whole number from 0 to 100")
			continue
		}
		out[e.key.(string)] = int(v)
	}
	return out
}

// verdictBecause is one name or a list of names.
func verdictBecause(c *cursor) []string {
	if c == nil {
		return nil
	}
	if c.n.Kind == yaml.ScalarNode {
		return []string{c.text()}
	}
	return c.strings()
}
