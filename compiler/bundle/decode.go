package bundle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// decodedIR is an IR, or why there is none.
type decodedIR struct {
	mesh    *ir.Mesh
	finding *diag.Finding
}

func decodeIR(content []byte) decodedIR {
	mesh := &ir.Mesh{}
	if err := json.Unmarshal(content, mesh); err != nil {
		return decodedIR{finding: malformed(IRFile, jsonOffset(err), err.Error())}
	}
	if err := checkMesh(mesh); err != nil {
		return decodedIR{finding: malformed(IRFile, 0, err.Error())}
	}
	return decodedIR{mesh: mesh}
}

func decodeIndex(index []byte) (*ir.Plan, []entry, *fault) {
	plan, entries := &ir.Plan{}, []entry(nil)
	c := newReader(indexMagic, index)
	walkIndex(c, &entries, plan)
	return plan, entries, c.end()
}

// readIndex reads the plan and takes every resource out of the pack. Bodies
// share the pack's memory.
func (b *Bundle) readIndex(files map[string][]byte) *diag.Finding {
	plan, entries, fault := decodeIndex(files[IndexFile])
	if fault != nil {
		return malformed(IndexFile, fault.offset, fault.reason)
	}
	pack := files[PackFile]
	plan.Resources = make([]ir.Resource, len(entries))
	b.packed = make([][]byte, len(entries))
	b.versions = make([]string, len(entries))
	for i, e := range entries {
		if why := e.check(pack); why != "" {
			return malformed(PackFile, e.Offset, fmt.Sprintf("%s %q %s", e.Type, e.Name, why))
		}
		b.packed[i] = pack[e.Offset : e.Offset+e.Length : e.Offset+e.Length]
		b.versions[i] = hex.EncodeToString(e.Digest[:])
		body, ok := unmarshalAny(e.Type, b.packed[i])
		if !ok {
			return malformed(PackFile, e.Offset, fmt.Sprintf("%q is no %s", e.Name, e.Type))
		}
		plan.Resources[i] = ir.Resource{Type: e.Type, Name: e.Name, Body: body}
	}
	if err := checkPlan(plan); err != nil {
		return malformed(IndexFile, 0, err.Error())
	}
	b.Plan = plan
	return nil
}

// check compares a resource with its place and its digest; empty when it fits.
func (e entry) check(pack []byte) string {
	switch {
	case e.Offset > len(pack) || e.Length > len(pack)-e.Offset:
		return fmt.Sprintf("ends past the %d bytes of the pack", len(pack))
	case !prefixed(pack, e):
		return "does not have its length before it"
	case sha256.Sum256(pack[e.Offset:e.Offset+e.Length]) != e.Digest:
		return "does not have its digest"
	}
	return ""
}

// unmarshalAny takes an Any as MarshalAny writes it apart.
func unmarshalAny(t ir.ResourceType, in []byte) ([]byte, bool) {
	url, rest, ok := cutField(tagTypeURL, in)
	if !ok || typeURLs[t] == "" || string(url) != typeURLs[t] {
		return nil, false
	}
	if len(rest) == 0 {
		return nil, true
	}
	body, rest, ok := cutField(tagValue, rest)
	return body, ok && len(rest) == 0
}

func cutField(tag byte, in []byte) (value, rest []byte, ok bool) {
	if len(in) == 0 || in[0] != tag {
		return nil, nil, false
	}
	size, n := binary.Uvarint(in[1:])
	if n <= 0 || size > uint64(len(in)-1-n) {
		return nil, nil, false
	}
	start := 1 + n
	end := start + int(size)
	return in[start:end:end], in[end:], true
}

func decodeOrigins(content []byte) (map[string]ir.Origin, *diag.Finding) {
	var all []namedOrigin
	c := newReader(originsMagic, content)
	walkOrigins(c, &all)
	if f := c.end(); f != nil {
		return nil, malformed(OriginsFile, f.offset, f.reason)
	}
	origins := make(map[string]ir.Origin, len(all))
	for _, o := range all {
		origins[o.About] = o.Origin
	}
	return origins, nil
}

func (b *Bundle) readFindings(files map[string][]byte) *diag.Finding {
	var stored struct {
		Findings []storedFinding `json:"findings"`
	}
	if err := json.Unmarshal(files[FindingsFile], &stored); err != nil {
		return malformed(FindingsFile, jsonOffset(err), err.Error())
	}
	for i, s := range stored.Findings {
		severity, err := diag.ParseSeverity(s.Severity)
		if err != nil || len(s.Locations) == 0 || s.Code == "" {
			return malformed(FindingsFile, 0, fmt.Sprintf("finding %d has no severity, code or position", i))
		}
		s.Finding.Severity = severity
		b.Findings.Add(s.Finding)
	}
	return nil
}
