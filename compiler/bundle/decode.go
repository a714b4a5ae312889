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

// of is what a file holds, or why it cannot be meant.
type of[T any] struct {
	value   T
	finding *diag.Finding
}

// decoded are the files that need no other to be decoded.
type decoded struct {
	mesh     of[*ir.Mesh]
	findings of[diag.List]
	origins  of[map[string]ir.Origin]
	done     chan struct{}
}

// decodeAhead decodes beside whatever the caller does until done.
func decodeAhead(files map[string][]byte) *decoded {
	d := &decoded{done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.mesh = decodeIR(files[IRFile])
		d.findings = decodeFindings(files[FindingsFile])
		d.origins = decodeOrigins(files[OriginsFile])
	}()
	return d
}

func (d *decoded) wait() { <-d.done }

func decodeIR(content []byte) of[*ir.Mesh] {
	mesh, ok := plainMesh(content)
	if !ok {
		mesh = &ir.Mesh{}
		if err := json.Unmarshal(content, mesh); err != nil {
			return of[*ir.Mesh]{finding: malformed(IRFile, jsonOffset(err), err.Error())}
		}
	}
	if err := checkMesh(mesh); err != nil {
		return of[*ir.Mesh]{finding: malformed(IRFile, 0, err.Error())}
	}
	return of[*ir.Mesh]{value: mesh}
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

func decodeOrigins(content []byte) of[map[string]ir.Origin] {
	var all []namedOrigin
	c := newReader(originsMagic, content)
	walkOrigins(c, &all)
	if f := c.end(); f != nil {
		return of[map[string]ir.Origin]{finding: malformed(OriginsFile, f.offset, f.reason)}
	}
	origins := make(map[string]ir.Origin, len(all))
	for _, o := range all {
		origins[o.About] = o.Origin
	}
	return of[map[string]ir.Origin]{value: origins}
}

func decodeFindings(content []byte) of[diag.List] {
	stored, ok := plainFindings(content)
	if !ok {
		var file struct {
			Findings []storedFinding `json:"findings"`
		}
		if err := json.Unmarshal(content, &file); err != nil {
			return of[diag.List]{finding: malformed(FindingsFile, jsonOffset(err), err.Error())}
		}
		stored = file.Findings
	}
	list := make(diag.List, 0, len(stored))
	for i, s := range stored {
		severity, err := diag.ParseSeverity(s.Severity)
		if err != nil || len(s.Locations) == 0 || s.Code == "" {
			return of[diag.List]{finding: malformed(FindingsFile, 0, fmt.Sprintf("finding %d has no severity, code or position", i))}
		}
		s.Finding.Severity = severity
		list.Add(s.Finding)
	}
	return of[diag.List]{value: list}
}
