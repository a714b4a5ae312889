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

	"golang.org/x/sync/errgroup"

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
	Epoch       int64  // of the sources; 0: unordered
	Judged      string // YYYY-MM-DD
	Lock        ir.LockHeader
	Inputs      []File
}

// Pack makes a bundle. An error is a defect of what made the input.
func Pack(in Input) (*Bundle, error) {
	b := &Bundle{Mesh: in.Mesh, Plan: in.Plan, Findings: in.Findings}
	files, err := b.encode()
	if err != nil {
		return nil, err
	}
	b.files = files
	b.Manifest = Manifest{
		Format: Current, Requires: slices.Sorted(slices.Values(features)), Mesh: in.Mesh.Settings.Name,
		Environment: in.Environment, Revision: in.Revision, Epoch: in.Epoch, Judged: in.Judged, Lock: in.Lock,
		Inputs: slices.SortedFunc(slices.Values(in.Inputs), compareFiles),
	}
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		b.Manifest.Files = append(b.Manifest.Files, NewFile(name, b.files[name]))
	}
	b.Manifest.PolicyDigest = policyDigest(Current, b.Manifest.Files)
	b.files[ManifestFile], err = b.Manifest.seal()
	return b, err
}

// encode makes all files but the manifest, side by side.
func (b *Bundle) encode() (map[string][]byte, error) {
	var g errgroup.Group
	var irJSON, index, pack, origins, findings []byte
	g.Go(func() (err error) {
		if irJSON, err = encodeMesh(b.Mesh); err != nil {
			return fmt.Errorf("bundle: IR: %w", err)
		}
		return nil
	})
	g.Go(func() (err error) {
		if findings, err = encodeFindings(b.Findings); err != nil {
			return fmt.Errorf("bundle: findings: %w", err)
		}
		return nil
	})
	g.Go(func() error { origins = encodeOrigins(b.Mesh.Origins); return nil })
	g.Go(func() error {
		entries, resources, err := b.packResources()
		if err != nil {
			return err
		}
		if err := checkPlan(b.Plan); err != nil {
			return fmt.Errorf("bundle: plan: %w", err)
		}
		index, pack = encodeIndex(entries, b.Plan), resources
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return map[string][]byte{IRFile: irJSON, IndexFile: index, PackFile: pack, OriginsFile: origins, FindingsFile: findings}, nil
}

func compareFiles(a, b File) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Digest, b.Digest))
}

// packResources serialises every resource once and says where it lies.
func (b *Bundle) packResources() ([]entry, []byte, error) {
	room := 0
	for _, r := range b.Plan.Resources {
		if typeURLs[r.Type] == "" {
			return nil, nil, fmt.Errorf("bundle: resource %q has the unknown type %q", r.Name, r.Type)
		}
		room += binary.MaxVarintLen64 + anySize(r.Type, r.Body)
	}
	pack := make([]byte, 0, room) // never grows, so that slices of it stay
	entries := make([]entry, 0, len(b.Plan.Resources))
	offsets := make(map[[32]byte]int, len(b.Plan.Resources))
	for _, r := range b.Plan.Resources {
		before, size := len(pack), anySize(r.Type, r.Body)
		pack = binary.AppendUvarint(pack, uint64(size))
		offset := len(pack)
		pack = appendAny(pack, r.Type, r.Body)
		sum := sha256.Sum256(pack[offset:])
		if first, seen := offsets[sum]; seen {
			pack, offset = pack[:before], first
		}
		offsets[sum] = offset
		entries = append(entries, entry{Type: r.Type, Name: r.Name, Offset: offset, Length: size, Digest: sum})
		b.packed = append(b.packed, pack[offset:offset+size:offset+size])
		b.versions = append(b.versions, hex.EncodeToString(sum[:]))
	}
	if len(pack) > maxPack {
		return nil, nil, fmt.Errorf("bundle: resources take %d bytes, more than %d", len(pack), maxPack)
	}
	return entries, pack, nil
}

// MarshalAny is the serialised google.protobuf.Any of a message of the type.
func MarshalAny(t ir.ResourceType, body []byte) []byte {
	return appendAny(make([]byte, 0, anySize(t, body)), t, body)
}

const (
	tagTypeURL = 0x0a // field 1, bytes
	tagValue   = 0x12 // field 2, bytes
)

func appendAny(out []byte, t ir.ResourceType, body []byte) []byte {
	out = append(out, tagTypeURL)
	out = binary.AppendUvarint(out, uint64(len(typeURLs[t])))
	out = append(out, typeURLs[t]...)
	if len(body) == 0 {
		return out
	}
	out = append(out, tagValue)
	out = binary.AppendUvarint(out, uint64(len(body)))
	return append(out, body...)
}

// anySize is the length of what appendAny appends.
func anySize(t ir.ResourceType, body []byte) int {
	size := fieldSize(len(typeURLs[t]))
	if len(body) > 0 {
		size += fieldSize(len(body))
	}
	return size
}

func fieldSize(n int) int {
	var length [binary.MaxVarintLen64]byte
	return 1 + binary.PutUvarint(length[:], uint64(n)) + n
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

func encodeMesh(m *ir.Mesh) ([]byte, error) {
	out, err := json.Marshal(m)
	return append(out, '\n'), err
}

// storedFinding adds what Finding's own JSON leaves to renderers.
type storedFinding struct {
	Severity string `json:"severity"`
	diag.Finding
}

// encodeFindings writes one finding a line.
func encodeFindings(l diag.List) ([]byte, error) {
	out := []byte(`{"findings": [`)
	for i, f := range l.Sorted() {
		line, err := json.Marshal(storedFinding{Severity: f.Severity.String(), Finding: f})
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, '\n'), line...)
	}
	return append(out, "\n]}\n"...), nil
}
