package allow

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// Proposal is what audit mode let through for lack of a grant, as one grant of it.
type Proposal struct {
	From   ir.Identity `json:"from"`
	To     ir.PortID   `json:"to"`
	Method string      `json:"method,omitempty"` // empty: raw bytes
	Path   string      `json:"path,omitempty"`   // the first path that was seen, in order of name
	// Regex is the expression of the paths; Wider tells that it takes others than
	// the Paths that were seen.
	Regex string   `json:"pathRegex,omitempty"`
	Wider bool     `json:"wider,omitempty"`
	Paths []string `json:"paths,omitempty"`
	Count int      `json:"count"` // of requests or connections
	// Line is the first line of the log that tells of it.
	Line int `json:"line"`
}

// logged is a line of the access log, as far as it matters here.
type logged struct {
	Side         string `json:"side"`
	Peer         string `json:"peer"`
	Port         string `json:"port"`
	Method       string `json:"method"`
	Path         string `json:"path"`
	ShadowResult string `json:"shadow_result"`
}

// longestLine is how long a line of the log may be, in bytes.
const longestLine = 1 << 20

// mostSeen is how many paths are remembered of one caller, service and method.
const mostSeen = 2000

// ReadAudit reads the access log of servers' proxies and groups what audit mode
// counted by caller, service, method and pattern of path, most frequent first. name
// is the log's in findings.
func ReadAudit(in io.Reader, name string, compat ir.Compat) ([]Proposal, diag.List, error) {
	a := audit{name: name, compat: compat, seen: map[asked]map[string]*counted{}}
	lines := bufio.NewReaderSize(in, 64<<10)
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if len(text) > longestLine {
			a.odd(n, "the line is longer than %d bytes", longestLine)
		} else if len(text) > 0 {
			a.line(n, text)
		}
		if errors.Is(err, io.EOF) {
			if a.other > 0 && a.entries == 0 {
				a.odd(a.other, "no line is an entry of a proxy's access log")
			}
			return a.proposals(), a.found, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

type asked struct {
	from   ir.Identity
	to     ir.PortID
	method string
}

type counted struct{ count, line int }

type audit struct {
	name   string
	compat ir.Compat
	seen   map[asked]map[string]*counted
	found  diag.List
	// entries counts lines of a proxy's log; other is the first line that is none, from 1.
	entries, other int
}

// mostOdd is how many odd lines are told.
const mostOdd = 20

func (a *audit) odd(line int, format string, args ...any) {
	if len(a.found) < mostOdd {
		a.found.Add(diag.New("MSH4655", diag.Span{File: a.name, Line: line, Col: 1}, format, args...).WithEffect("it proposes nothing"))
	}
}

func (a *audit) line(n int, text []byte) {
	at := bytes.Index(text, []byte(`{"`)) // what a container runtime puts before it is passed over
	switch {
	case at >= 0 && bytes.Contains(text, []byte(`"side"`)):
		a.entries++
	case a.other == 0 && len(bytes.TrimSpace(text)) > 0:
		a.other = n
	}
	if at < 0 || !bytes.Contains(text, []byte(`"shadow_result"`)) && json.Valid(bytes.TrimSpace(text[at:])) {
		return
	}
	var l logged
	if err := json.Unmarshal(bytes.TrimSpace(text[at:]), &l); err != nil {
		a.odd(n, "it is no JSON object: %v", err)
		return
	}
	if l.Side != "inbound" || l.ShadowResult != "denied" {
		return
	}
	to, ok := portID(l.Port)
	if !ok || !strings.HasPrefix(l.Peer, "spiffe://") || strings.Contains(l.Peer, ",") {
		a.odd(n, "it names no caller, or no service port: peer %q, port %q", l.Peer, l.Port)
		return
	}
	key, path := asked{ir.Identity(l.Peer), to, l.Method}, ""
	if l.Method != "" {
		if path, ok = ir.NormalisePath(l.Path); !ok {
			a.odd(n, "path %q is not one that a proxy accepts", l.Path)
			return
		}
		path = ir.WithoutQuery(path)
	}
	if a.seen[key] == nil {
		a.seen[key] = map[string]*counted{}
	}
	switch c := a.seen[key][path]; {
	case c != nil:
		c.count++
	case len(a.seen[key]) >= mostSeen:
		a.odd(n, "%s asked for more than %d paths of %s", key.from.Short(), mostSeen, to)
	default:
		a.seen[key][path] = &counted{1, n}
	}
}

// portID reads NAMESPACE/SERVICE:PORT.
func portID(s string) (ir.PortID, bool) {
	name, port, ok := ir.HostPort(s)
	namespace, service, found := strings.Cut(name, "/")
	return ir.PortID{Service: ir.ServiceID{Namespace: namespace, Name: service}, Port: port}, ok && found && namespace != "" && service != ""
}

// proposals are one for each caller, service, method and pattern.
func (a *audit) proposals() []Proposal {
	var out []Proposal
	for key, paths := range a.seen {
		groups := map[string]*Proposal{}
		for path, c := range paths {
			shape := pattern(path)
			p := groups[shape]
			if p == nil {
				p = &Proposal{From: key.from, To: key.to, Method: key.method, Line: c.line}
				groups[shape] = p
			}
			p.Count, p.Line = p.Count+c.count, min(p.Line, c.line)
			p.Paths = append(p.Paths, path)
		}
		for shape, p := range groups {
			p.finish(shape, a.compat)
			out = append(out, *p)
		}
	}
	slices.SortFunc(out, func(a, b Proposal) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.From, b.From), a.To.Compare(b.To), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Regex, b.Regex))
	})
	return out
}

func (p *Proposal) finish(shape string, compat ir.Compat) {
	if p.Method == "" {
		p.Paths = nil
		return
	}
	slices.Sort(p.Paths)
	p.Path = p.Paths[0]
	p.Regex = Exactly(compat, p.Path)
	if len(p.Paths) > 1 { // only then is it known that the part changes
		p.Wider, p.Regex = true, shape
		if compat != ir.CompatOSM {
			p.Regex += "$"
		}
	}
}

var parts = []struct{ is, expression string }{
	{`^[0-9]+$`, `[0-9]+`},
	{`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`, `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
	{`^[0-9a-f]{16,}$`, `[0-9a-f]+`},
}

var partIs = func() []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, p := range parts {
		out = append(out, regexp.MustCompile(p.is))
	}
	return out
}()

// pattern is a path's expression in which numbers and random names stand for any.
func pattern(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = regexp.QuoteMeta(s)
		for k, is := range partIs {
			if is.MatchString(s) {
				segments[i] = parts[k].expression
				break
			}
		}
	}
	return strings.Join(segments, "/")
}

// Request is the request that a proposal is shown by.
func (p Proposal) Request() ir.Request {
	r := ir.Request{From: p.From, To: p.To}
	if p.Method != "" {
		r.HTTP = &ir.HTTPRequest{Method: p.Method, Path: p.Path}
	}
	return r
}

// Strict is a mesh in which audit mode lets nothing through: what a grant is for.
func Strict(m *ir.Mesh) *ir.Mesh {
	out := *m
	if out.Settings.Mode == ir.Audit {
		out.Settings.Mode = ir.Strict
	}
	out.Namespaces = slices.Clone(m.Namespaces)
	for i := range out.Namespaces {
		if out.Namespaces[i].Mode == ir.Audit {
			out.Namespaces[i].Mode = ir.Strict
		}
	}
	return &out
}
