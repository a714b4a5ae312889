package bundle

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// FromFiles reads a bundle from memory: its files by path. Names in findings
// are paths in the bundle. The bytes belong to the bundle from then on.
func FromFiles(files map[string][]byte) (*Bundle, diag.List) {
	b := &Bundle{files: map[string][]byte{}}
	if findings := b.readManifest(files); len(findings) > 0 {
		return nil, findings
	}
	// Decoding runs beside the digests; what it finds counts only once these are
	// known to fit.
	ahead := decodeAhead(files)
	defer ahead.wait() // what is refused is the caller's again
	if findings := b.checkFiles(files); len(findings) > 0 {
		return nil, findings
	}
	if f := b.readContent(files, ahead); f != nil {
		return nil, diag.List{*f}
	}
	if f := b.takeSignatures(files); f != nil {
		return nil, diag.List{*f}
	}
	return b, nil
}

// readManifest takes the manifest, and refuses what this reader cannot serve.
func (b *Bundle) readManifest(files map[string][]byte) diag.List {
	raw, ok := files[ManifestFile]
	if !ok {
		return diag.List{diag.New("MSH0401", diag.Span{File: ManifestFile}, "there is no %q", ManifestFile).
			WithHelp("name a folder that `meshc build -o DIR` wrote")}
	}
	if err := json.Unmarshal(raw, &b.Manifest); err != nil {
		offset := jsonOffset(err)
		return diag.List{diag.New("MSH0401", spanAt(ManifestFile, raw, offset), "%q cannot be read at offset %d: %v", ManifestFile, offset, err).
			WithHelp("build the bundle again, or fetch it again")}
	}
	m := &b.Manifest
	at := diag.Span{File: ManifestFile}
	if m.Format.Major != Current.Major {
		return diag.List{diag.New("MSH0402", at, "the bundle has format %s; this meshc reads %d.x", m.Format, Current.Major).
			WithEffect("the bundle is not loaded; what was served before stays served").
			WithHelp("use a meshc that reads format %d, or build the bundle with this one", m.Format.Major)}
	}
	if lacking := unknownFeatures(m.Requires); len(lacking) > 0 {
		return diag.List{diag.New("MSH0403", at, "the bundle requires %s, which this meshc does not have", strings.Join(lacking, ", ")).
			WithEffect("the bundle is not loaded; a part of its policy could not be enforced").
			WithHelp("use a newer meshc, or build the bundle with this one")}
	}
	if !sealed(raw, m.BundleDigest) {
		return diag.List{damaged(ManifestFile, 0, "does not have the bundle digest it names")}
	}
	if m.Epoch < 0 {
		return diag.List{*malformed(ManifestFile, 0, fmt.Sprintf("epoch %d is below 0", m.Epoch))}
	}
	b.files[ManifestFile] = raw
	return nil
}

func unknownFeatures(required []string) []string {
	var out []string
	for _, r := range required {
		known := false
		for _, f := range features {
			known = known || f == r
		}
		if !known {
			out = append(out, fmt.Sprintf("%q", r))
		}
	}
	return out
}

// checkFiles compares every file with its size and digest in the manifest.
func (b *Bundle) checkFiles(files map[string][]byte) diag.List {
	var out diag.List
	listed := map[string]File{}
	for _, f := range b.Manifest.Files {
		listed[f.Path] = f
	}
	for _, name := range []string{FindingsFile, IndexFile, IRFile, OriginsFile, PackFile} {
		want, said := listed[name]
		content, there := files[name]
		switch {
		case !said:
			out.Add(damaged(ManifestFile, 0, fmt.Sprintf("does not list %q", name)))
		case !there:
			out.Add(diag.New("MSH0404", diag.Span{File: name}, "%q is missing", name).WithHelp("copy the whole folder, or build the bundle again"))
		case int64(len(content)) != want.Size:
			out.Add(diag.New("MSH0404", diag.Span{File: name}, "%q has %d bytes, the manifest says %d; they part at offset %d",
				name, len(content), want.Size, min(int64(len(content)), want.Size)).WithHelp("copy the whole folder, or build the bundle again"))
		case digest(content) != want.Digest:
			out.Add(b.locate(name, content, files[IndexFile]))
		}
		b.files[name] = content
	}
	if len(out) == 0 && policyDigest(b.Manifest.Format, b.Manifest.Files) != b.Manifest.PolicyDigest {
		out.Add(damaged(ManifestFile, 0, "does not have the policy digest it names"))
	}
	return out
}

// readContent decodes the files, whose digests are right by now: what is wrong
// still was made so.
func (b *Bundle) readContent(files map[string][]byte, ahead *decoded) *diag.Finding {
	if f := b.readIndex(files); f != nil {
		return f
	}
	ahead.wait()
	for _, f := range []*diag.Finding{ahead.origins.finding, ahead.findings.finding, ahead.mesh.finding} {
		if f != nil {
			return f
		}
	}
	b.Mesh, b.Findings = ahead.mesh.value, ahead.findings.value
	b.Mesh.Origins = ahead.origins.value
	return nil
}

// locate finds the first resource of a damaged pack that lost its digest; of
// other files it can only say that they are damaged.
func (b *Bundle) locate(name string, content, index []byte) diag.Finding {
	if name == PackFile {
		if _, entries, fault := decodeIndex(index); fault == nil {
			for _, e := range entries {
				if why := e.check(content); why != "" {
					return damaged(PackFile, e.Offset, fmt.Sprintf("%s %q %s", e.Type, e.Name, why))
				}
			}
		}
	}
	return damaged(name, 0, "does not have the digest that the manifest names")
}

// damaged is a file whose bytes are not those that were written.
func damaged(file string, offset int, why string) diag.Finding {
	return diag.New("MSH0405", diag.Span{File: file}, "%q is damaged at offset %d: %s", file, offset, why).
		WithEffect("the bundle is not loaded; what was served before stays served").
		WithHelp("copy the bundle again, or build it again")
}

// malformed is a file that has its digest and still cannot be meant.
func malformed(file string, offset int, why string) *diag.Finding {
	f := diag.New("MSH0406", diag.Span{File: file}, "%q is malformed at offset %d: %s", file, offset, why).
		WithEffect("the bundle is not loaded; what was served before stays served").
		WithHelp("do not use this bundle: no meshc of this format writes such bytes")
	return &f
}

func jsonOffset(err error) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return int(syntax.Offset)
	case errors.As(err, &kind):
		return int(kind.Offset)
	}
	return 0
}

// spanAt is the line and column of an offset.
func spanAt(file string, content []byte, offset int) diag.Span {
	before := content[:min(max(offset-1, 0), len(content))]
	line := bytes.Count(before, []byte("\n")) + 1
	col := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return diag.Span{File: file, Line: line, Col: col}
}

// prefixed tells whether a resource's length stands before it as it should.
func prefixed(pack []byte, e entry) bool {
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], uint64(e.Length))
	return e.Offset >= n && bytes.Equal(pack[e.Offset-n:e.Offset], prefix[:n])
}
