package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// Format is the version of the bundle's form. A reader refuses another major,
// and reads any minor.
type Format struct {
	Major int `json:"major"`
	Minor int `json:"minor"`
}

// Current is the format that Pack writes.
var Current = Format{Major: 1, Minor: 0}

// String is MAJOR.MINOR.
func (f Format) String() string { return strconv.Itoa(f.Major) + "." + strconv.Itoa(f.Minor) }

// Features a bundle may require of who reads it. A reader that lacks one refuses
// the bundle, because its policy would be served in part or not at all.
const (
	FeatureEnvoy140  = "envoy-1.40"                 // proxies of at least this version
	FeatureRE2       = "re2.max_program_size-32768" // proxies are started with this error level
	FeatureSNI       = "sni-from-environment"       // proxies are started with MESHC_SNI and MESHC_IDENTITY
	FeatureComposing = "link-composing"             // link completes listeners with addresses and chains
)

// features is what this reader has, and what every bundle of it requires.
var features = []string{FeatureEnvoy140, FeatureComposing, FeatureRE2, FeatureSNI}

// Manifest is manifest.json. Fields that a reader does not know it ignores.
type Manifest struct {
	Format   Format   `json:"format"`
	Requires []string `json:"requires"`
	Mesh     string   `json:"mesh"`

	Environment string        `json:"environment,omitempty"`
	Revision    string        `json:"revision,omitempty"` // of the sources, as the builder names it
	Epoch       int64         `json:"epoch,omitempty"`    // grows from bundle to bundle of a mesh; 0: unordered
	Judged      string        `json:"judged,omitempty"`   // the day of the judgement, YYYY-MM-DD
	Lock        ir.LockHeader `json:"lock,omitzero"`
	Inputs      []File        `json:"inputs,omitempty"` // by path

	Files        []File `json:"files"`        // every file but this one, by path
	PolicyDigest string `json:"policyDigest"` // the version: format, IR, index, resources
	BundleDigest string `json:"bundleDigest"` // every byte
}

// File is a file's path, size and digest.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Digest string `json:"digest"` // sha256:HEX
}

const digestPrefix = "sha256:"

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// NewFile describes bytes, such as an input of a build.
func NewFile(path string, b []byte) File {
	return File{Path: path, Size: int64(len(b)), Digest: digest(b)}
}

// policyDigest is over the format and the digests of the files that are policy.
func policyDigest(f Format, files []File) string {
	var b strings.Builder
	b.WriteString("meshc policy " + f.String() + "\n")
	for _, name := range []string{IRFile, IndexFile, PackFile} {
		for _, file := range files {
			if file.Path == name {
				b.WriteString(name + " " + file.Digest + "\n")
			}
		}
	}
	return digest([]byte(b.String()))
}

// zeroDigest stands for the bundle's digest while it is computed: the manifest
// holds the digest of all else, and its own bytes count with this in its place.
var zeroDigest = digestPrefix + strings.Repeat("0", 64)

// seal writes the manifest with its own digest in it.
func (m *Manifest) seal() ([]byte, error) {
	m.BundleDigest = zeroDigest
	out, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	out = append(out, '\n')
	m.BundleDigest = digest(out)
	return bytes.Replace(out, []byte(zeroDigest), []byte(m.BundleDigest), 1), nil
}

// sealed tells whether a manifest's bytes have the digest they say. The digest
// must stand in them once: else two manifests could share one.
func sealed(manifest []byte, want string) bool {
	if len(want) != len(zeroDigest) || bytes.Count(manifest, []byte(want)) != 1 {
		return false
	}
	return digest(bytes.Replace(manifest, []byte(want), []byte(zeroDigest), 1)) == want
}
