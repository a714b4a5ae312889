package lsp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/lsp/protocol"
)

// offer is a text that may stand at the cursor.
type offer struct {
	text   string
	detail string
	kind   int
}

// completion offers what may stand at a place: fields, words, and names of the mesh.
// It looks at the text as it is, whole or not, and at the last model for names.
func (s *server) completion(ctx context.Context, p *protocol.PlaceParams) (any, error) {
	out := protocol.CompletionList{Items: []protocol.CompletionItem{}}
	key := keyOf(p.TextDocument.URI)
	doc := s.docs.get(key)
	if doc == nil {
		return out, nil
	}
	m, err := s.work.model(ctx, key)
	if err != nil {
		return nil, err
	}
	c, ok := cursorAt(doc.text, p.Position, s.encoding)
	if !ok {
		return out, nil
	}
	at := protocol.Range{Start: doc.text.Position(c.start, s.encoding), End: doc.text.Position(c.end, s.encoding)}
	offered := map[string]bool{}
	for _, o := range c.offers(m) {
		if offered[o.text] {
			continue
		}
		offered[o.text] = true
		item := protocol.CompletionItem{Label: o.text, Kind: o.kind, Detail: o.detail, SortText: fmt.Sprintf("%04d", len(out.Items))}
		item.TextEdit = &protocol.TextEdit{Range: at, NewText: c.insert(o, doc.text)}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// offers are what may stand at the cursor, the likeliest first.
func (c *cursor) offers(m *model) []offer {
	if c.key {
		return c.fields()
	}
	out := c.names(m)
	if _, words := syntax.Expected(c.version, c.kind, c.wordPath()); len(out) == 0 {
		for _, w := range append(words, c.words()...) {
			out = append(out, offer{w, "", protocol.CompleteEnum})
		}
	}
	if len(out) == 0 && (c.alone || c.flow) {
		out = c.fields()
	}
	return out
}

// wordPath is the place of a text: a list of texts is offered what its items are.
func (c *cursor) wordPath() []any {
	if c.list() {
		return append(slices.Clone(c.path), 0)
	}
	return c.path
}

// lists are the fields that hold lists of texts.
var lists = map[string]bool{
	"HTTPRouteGroup spec.matches.methods": true, "TrafficTarget spec.rules.matches": true, "TCPRoute spec.matches.ports": true,
	"UDPRoute spec.matches.ports": true,
}

// list tells whether a list of texts is wanted, and none is begun.
func (c *cursor) list() bool { return !c.item() && lists[c.kind+" "+c.union()] }

// fields are those of the map at the cursor that are not written yet.
func (c *cursor) fields() []offer {
	fields, _ := syntax.Expected(c.version, c.kind, c.path)
	if len(c.path) == 0 && len(fields) == 0 {
		fields = []string{"apiVersion", "kind", "metadata", "spec"}
	}
	have := map[string]bool{}
	if n, _, left := source.Find(c.root, c.path); len(left) == 0 && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			have[n.Content[i].Value] = true
		}
	}
	var out []offer
	for _, f := range fields {
		if !have[f] && f != "status" {
			out = append(out, offer{f, "", protocol.CompleteField})
		}
	}
	return out
}

// insert is an offer as its place wants it: a key with its colon and, if it holds a
// map or a list, on the next line what begins it; a value of a list that is not begun
// in brackets.
func (c *cursor) insert(o offer, t *protocol.Text) string {
	if o.kind != protocol.CompleteField {
		switch {
		case c.list():
			return "[" + quoted(o.text) + "]"
		case c.kind == "" || o.kind == protocol.CompleteClass:
			return o.text
		}
		return quoted(o.text)
	}
	rest := strings.TrimLeft(string(t.Data[c.end:min(len(t.Data), c.end+8)]), " ")
	if strings.HasPrefix(rest, ":") { // a key that is changed keeps its value
		return o.text
	}
	if c.flow {
		return o.text + ": "
	}
	path := append(slices.Clone(c.path), o.text)
	line := t.Position(c.start, protocol.UTF8)
	indent := "\n" + strings.Repeat(" ", int(line.Character)+2)
	if fields, _ := syntax.Expected(c.version, c.kind, path); len(fields) > 0 {
		return o.text + ":" + indent
	}
	if fields, _ := syntax.Expected(c.version, c.kind, append(path, 0)); len(fields) > 0 {
		return o.text + ":" + indent[:len(indent)-2] + "- "
	}
	return o.text + ": "
}

// quoted is a text as YAML takes it for one.
func quoted(s string) string {
	if s == "*" || source.IsBoolWord(s) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// words are those of fields that the mesh judges, not the decoder.
func (c *cursor) words() []string {
	union := c.union()
	if c.kind == "Mesh" {
		parts := strings.Split(union, ".")
		return settings[parts[len(parts)-1]]
	}
	return words[c.kind+" "+union]
}

var subjects = []string{"ServiceAccount", "IdentityBinding"}

var words = map[string][]string{
	"TrafficTarget spec.destination.kind": subjects,
	"TrafficTarget spec.sources.kind":     subjects,
	"TrafficTarget spec.rules.kind":       {"HTTPRouteGroup", "TCPRoute", "UDPRoute"},
	"TrafficSplit spec.matches.kind":      {"HTTPRouteGroup"},
	"Service spec.ports.appProtocol":      {"http", "http2", "grpc", "tcp", "tcp-server-first", "tls"},
	"Service spec.ports.protocol":         {"TCP", "UDP"},
	"Service spec.type":                   {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"},
	"VerdictTable spec.cases.http.method": {"GET", "HEAD", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"},
}

var settings = map[string][]string{
	"mode": {"strict", "permissive", "audit"}, "egress": {"deny", "allow"}, "plaintext": {"deny", "allow"},
	"compat": {"smi", "osm", "maesh"}, "targets": {"envoy", "grpc"},
}

// kinds are offered for `kind` and `apiVersion`: those that fit what the other says.
func (c *cursor) kinds() []offer {
	var out []offer
	for _, k := range slices.Backward(syntax.Kinds()) { // newest first
		switch c.path[0] {
		case "kind":
			if c.version == "" || c.version == k.APIVersion {
				out = append(out, offer{k.Kind, k.APIVersion, protocol.CompleteClass})
			}
		default:
			if c.kind == "" || c.kind == k.Kind {
				out = append(out, offer{k.APIVersion, cmp.Or(c.kind, k.Kind), protocol.CompleteClass})
			}
		}
	}
	return out
}
