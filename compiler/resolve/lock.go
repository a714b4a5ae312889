package resolve

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// The text form of meshc.lock (docs/lock.md): a header of comment lines, then one
// fact a line, sorted, so that merges are clean and findings have positions.
const (
	lockTitle = "# meshc.lock v1"
	headFrom  = "# from: "
	headBy    = "# by: "
	headAt    = "# at: "
)

// PrintLock writes facts in the form ParseLock reads, each once and sorted.
func PrintLock(known ir.Known) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, lockTitle)
	for _, h := range []struct{ head, value string }{{headFrom, known.Header.From}, {headBy, known.Header.By}, {headAt, known.Header.At}} {
		if value := strings.Join(strings.Fields(h.value), " "); value != "" {
			fmt.Fprintf(&b, "%s%s\n", h.head, value)
		}
	}
	lines := make([]string, len(known.Facts))
	for i, f := range known.Facts {
		lines[i] = factLine(f)
	}
	slices.Sort(lines)
	for _, l := range slices.Compact(lines) {
		fmt.Fprintln(&b, l)
	}
	return b.Bytes()
}

// factLine is a fact in one line, its parts in a fixed order.
func factLine(f ir.Fact) string {
	if f.Kind == factAbsent {
		return "absent " + factTitle(f)
	}
	words := []string{factTitle(f)}
	if f.Headless {
		words = append(words, "headless")
	}
	if f.Meshed != nil && !*f.Meshed {
		words = append(words, "outside")
	}
	for _, a := range sortedUnique(f.Accounts) {
		words = append(words, "account="+a)
	}
	for _, s := range sortedUnique(f.Services) {
		words = append(words, "service="+s)
	}
	words = append(words, portWords(f.Ports)...)
	var labels []string
	for k, v := range f.Labels {
		labels = append(labels, "label="+k+":"+v)
	}
	return strings.Join(append(words, sortedUnique(labels)...), " ")
}

func sortedUnique(s []string) []string {
	out := slices.Clone(s)
	slices.Sort(out)
	return slices.Compact(out)
}

// portWords are PORT[/UDP][,name=N][,app=P][,target=T], sorted by number.
func portWords(ports []ir.FactPort) []string {
	sorted := slices.Clone(ports)
	slices.SortFunc(sorted, compareFactPorts)
	var out []string
	for _, p := range slices.Compact(sorted) {
		w := "port=" + itoa(p.Port)
		if p.Protocol != "" && p.Protocol != "TCP" {
			w += "/" + p.Protocol
		}
		if p.Name != "" {
			w += ",name=" + p.Name
		}
		if p.AppProtocol != "" {
			w += ",app=" + p.AppProtocol
		}
		if p.TargetName != "" {
			w += ",target=" + p.TargetName
		} else if p.TargetPort != 0 && p.TargetPort != p.Port {
			w += ",target=" + itoa(p.TargetPort)
		}
		out = append(out, w)
	}
	return out
}

func compareFactPorts(a, b ir.FactPort) int {
	if a.Port != b.Port {
		return int(a.Port - b.Port)
	}
	return strings.Compare(or(a.Protocol, "TCP"), or(b.Protocol, "TCP"))
}

// ParseLock reads meshc.lock. Lines that cannot be read are findings and pin nothing.
func ParseLock(path string, data []byte) (ir.Known, diag.List) {
	var known ir.Known
	var found diag.List
	first := map[string]ir.Fact{}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		at := diag.Span{File: path, Line: i + 1, Col: 1, EndLine: i + 1, EndCol: len([]rune(line)) + 1}
		switch {
		case strings.TrimSpace(line) == "":
		case strings.HasPrefix(line, "#"):
			found.Add(readHead(&known.Header, line, i, at)...)
		default:
			f, err := parseFact(line)
			if err != nil {
				found.Add(diag.New("MSH0201", at, "%s", err).WithEffect("the line pins nothing").
					WithHelp("write it anew with `meshc lock --update --from EXPORT`; the form is in docs/lock.md"))
				continue
			}
			f.At = at
			if old, dup := first[contradiction(f)]; dup {
				found.Add(diag.New("MSH0202", at, "a second line about %s", factTitle(f)).WithEffect("the first one counts").
					WithRelated(old.At, "the first line").WithHelp("keep the one that is true, or run `meshc lock --update --from EXPORT`"))
				continue
			}
			first[contradiction(f)] = f
			known.Facts = append(known.Facts, f)
		}
	}
	return known, found
}

func readHead(h *ir.LockHeader, line string, i int, at diag.Span) diag.List {
	switch {
	case strings.HasPrefix(line, headFrom):
		h.From = strings.TrimPrefix(line, headFrom)
	case strings.HasPrefix(line, headBy):
		h.By = strings.TrimPrefix(line, headBy)
	case strings.HasPrefix(line, headAt):
		h.At = strings.TrimPrefix(line, headAt)
	case i == 0 && strings.HasPrefix(line, "# meshc.lock v") && line != lockTitle:
		return diag.List{diag.New("MSH0201", at, "the lock is of a form this meshc does not know: %q", strings.TrimPrefix(line, "# ")).
			WithEffect("what it pins may be read wrongly").WithHelp("use the meshc that wrote it, or write it anew with `meshc lock --update --from EXPORT`")}
	}
	return nil
}

// contradiction is equal for two facts of which only one can be.
func contradiction(f ir.Fact) string {
	if f.Kind == factRole {
		return factLine(f)
	}
	q := questionOf(f)
	return q.of + " " + q.namespace + "/" + q.name
}
