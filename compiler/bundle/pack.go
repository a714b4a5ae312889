package bundle

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// Input is what a bundle is made of. Only the bundle's digest depends on what
// stands below Plan; the policy's digest does not.
type Input struct {
	Mesh *ir.Mesh // Origins included
	Plan *ir.Plan

	Findings    diag.List
	Environment string
	Revision    string
	Judged      string // YYYY-MM-DD
	Lock        ir.LockHeader
	Inputs      []File
}

// Pack makes a bundle. An error is a defect of what made the input.
func Pack(in Input) (*Bundle, error) {
	irJSON, err := json.Marshal(in.Mesh)
	if err != nil {
		return nil, fmt.Errorf("bundle: IR: %w", err)
	}
	findings, err := encodeFindings(in.Findings)
	if err != nil {
		return nil, fmt.Errorf("bundle: findings: %w", err)
	}
	b := &Bundle{Mesh: in.Mesh, Plan: in.Plan, Findings: in.Findings}
	entries, pack, err := b.packResources()
	if err != nil {
		return nil, err
	}
	if err := checkPlan(in.Plan); err != nil {
		return nil, fmt.Errorf("bundle: plan: %w", err)
	}
	b.files = map[string][]byte{
		IRFile:       append(irJSON, '\n'),
		IndexFile:    encodeIndex(entries, in.Plan),
		PackFile:     pack,
		OriginsFile:  encodeOrigins(in.Mesh.Origins),
		FindingsFile: findings,
	}
	b.Manifest = Manifest{
		Format: Current, Requires: slices.Sorted(slices.Values(features)), Mesh: in.Mesh.Settings.Name,
		Environment: in.Environment, Revision: in.Revision, Judged: in.Judged, Lock: in.Lock,
		Inputs: slices.SortedFunc(slices.Values(in.Inputs), compareFiles),
	}
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		b.Manifest.Files = append(b.Manifest.Files, NewFile(name, b.files[name]))
	}
	b.Manifest.PolicyDigest = policyDigest(Current, b.Manifest.Files)
	b.files[ManifestFile], err = b.Manifest.seal()
	return b, err
}

func compareFiles(a, b File) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Digest, b.Digest))
}

// packResources serialises every resource once and says where it lies.
func (b *Bundle) packResources() ([]entry, []byte, error) {
	var pack []byte
	entries := make([]entry, 0, len(b.Plan.Resources))
	offsets := map[[32]byte]int{}
	for _, r := range b.Plan.Resources {
		if typeURLs[r.Type] == "" {
			return nil, nil, fmt.Errorf("bundle: resource %q has the unknown type %q", r.Name, r.Type)
		}
		message := MarshalAny(r.Type, r.Body)
		sum := sha256.Sum256(message)
		offset, seen := offsets[sum]
		if !seen {
			pack = binary.AppendUvarint(pack, uint64(len(message)))
			offset = len(pack)
			offsets[sum] = offset
			pack = append(pack, message...)
		}
		entries = append(entries, entry{Type: r.Type, Name: r.Name, Offset: offset, Length: len(message), Digest: sum})
		b.packed = append(b.packed, message)
		b.versions = append(b.versions, hex.EncodeToString(sum[:]))
	}
	if len(pack) > maxPack {
		return nil, nil, fmt.Errorf("bundle: resources take %d bytes, more than %d", len(pack), maxPack)
	}
	return entries, pack, nil
}

// MarshalAny is the serialised google.protobuf.Any of a message of the type.
func MarshalAny(t ir.ResourceType, body []byte) []byte {
	url := typeURLs[t]
	out := make([]byte, 0, len(url)+len(body)+12)
	out = append(out, 0x0a) // field 1, type_url
	out = binary.AppendUvarint(out, uint64(len(url)))
	out = append(out, url...)
	if len(body) == 0 {
		return out
	}
	out = append(out, 0x12) // field 2, value
	out = binary.AppendUvarint(out, uint64(len(body)))
	return append(out, body...)
}

func encodeIndex(entries []entry, p *ir.Plan) []byte {
	c := newWriter(indexMagic)
	walkIndex(c, &entries, p)
	return c.bytes()
}

func encodeOrigins(origins map[string]ir.Origin) []byte {
	all := make([]namedOrigin, 0, len(origins))
	for _, name := range slices.Sorted(maps.Keys(origins)) {
		all = append(all, namedOrigin{About: name, Origin: origins[name]})
	}
	c := newWriter(originsMagic)
	walkOrigins(c, &all)
	return c.bytes()
}

// storedFinding adds what Finding's own JSON leaves to renderers.
type storedFinding struct {
	Severity string `json:"severity"`
	diag.Finding
}

func encodeFindings(l diag.List) ([]byte, error) {
	all := []storedFinding{}
	for _, f := range l.Sorted() {
		all = append(all, storedFinding{Severity: f.Severity.String(), Finding: f})
	}
	out, err := json.MarshalIndent(map[string]any{"findings": all}, "", "  ")
	return append(out, '\n'), err
}
