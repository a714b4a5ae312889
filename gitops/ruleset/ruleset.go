// Package ruleset carries folders of rules: files go in, and out comes a set with
// a digest, signatures by who vouches for it, and an artifact in a registry, or in
// a cache by the artifact's digest. What does not fit its digest is refused whole,
// as findings. It knows nothing of what rules say.
package ruleset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/bundle/signature"
)

// PayloadType is the type of what a rule set's signature signs. It differs from a
// bundle's, so that no signature of one passes for one of the other.
const PayloadType = "application/vnd.meshc.ruleset.v1+json"

const (
	manifestName  = "ruleset.json"
	signaturesDir = "signatures/"
	rulesDir      = "rules/"
	formatMajor   = 1
)

// Limits of a rule set.
const (
	maxBytes = 16 << 20
	maxFiles = 4096
)

// Set is a folder of rules, whole: every file is named by the manifest, by digest.
type Set struct {
	manifest   []byte
	files      map[string][]byte // below the folder
	signatures map[string][]byte // by file name
}

type manifest struct {
	Format int     `json:"format"`
	Files  []entry `json:"files"` // in order of path
}

type entry struct {
	Path   string `json:"path"`
	Digest string `json:"digest"`
}

// Pack makes a set of the files of a folder, by slash path. Equal files, equal
// bytes.
func Pack(files map[string][]byte) (*Set, error) {
	m := manifest{Format: formatMajor, Files: []entry{}}
	size, rego := 0, false
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := nameFault(name); err != nil {
			return nil, err
		}
		size += len(files[name])
		rego = rego || path.Ext(name) == ".rego"
		m.Files = append(m.Files, entry{name, digest(files[name])})
	}
	switch {
	case !rego:
		return nil, errors.New("no file in it ends in .rego")
	case size > maxBytes:
		return nil, fmt.Errorf("its files take more than %d MiB", maxBytes>>20)
	case len(files) > maxFiles:
		return nil, fmt.Errorf("it has more than %d files", maxFiles)
	}
	text, err := json.Marshal(m)
	return &Set{append(text, '\n'), maps.Clone(files), map[string][]byte{}}, err
}

func nameFault(name string) error {
	if name == "" || name == "." || path.IsAbs(name) || path.Clean(name) != name || strings.HasPrefix(name, "../") || name == ".." || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("%q is no name of a file in a folder", name)
	}
	return nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Files are the rules and what lies beside them, by slash path.
func (s *Set) Files() map[string][]byte { return maps.Clone(s.files) }

// Digest is of all files, their names among it, and of nothing else.
func (s *Set) Digest() string { return digest(s.manifest) }

// packed is everything, as it is put into an archive.
func (s *Set) packed() map[string][]byte {
	out := map[string][]byte{manifestName: s.manifest}
	for name, text := range s.files {
		out[rulesDir+name] = text
	}
	for name, text := range s.signatures {
		out[signaturesDir+name] = text
	}
	return out
}

// unpack is the set that an archive holds, if it is whole and holds nothing else.
func unpack(files map[string][]byte) (*Set, error) {
	s := &Set{files[manifestName], map[string][]byte{}, map[string][]byte{}}
	var m manifest
	if s.manifest == nil {
		return nil, fmt.Errorf("it holds no %s", manifestName)
	}
	if err := json.Unmarshal(s.manifest, &m); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", manifestName, err)
	}
	if m.Format != formatMajor {
		return nil, fmt.Errorf("its format is %d, and this meshc reads %d", m.Format, formatMajor)
	}
	for _, e := range m.Files {
		text, there := files[rulesDir+e.Path]
		if err := nameFault(e.Path); err != nil {
			return nil, err
		}
		if !there || digest(text) != e.Digest {
			return nil, fmt.Errorf("the file %q is not the one that %s names", e.Path, manifestName)
		}
		s.files[e.Path] = text
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if own, ok := strings.CutPrefix(name, signaturesDir); ok {
			s.signatures[own] = files[name]
			continue
		}
		own, ok := strings.CutPrefix(name, rulesDir)
		if _, named := s.files[own]; name != manifestName && !(ok && named) {
			return nil, fmt.Errorf("%s does not name the file %q", manifestName, name)
		}
	}
	return s, nil
}

// statement is what is signed.
type statement struct {
	Ruleset string `json:"rulesetDigest"`
}

// Sign adds a signature. Equal input, equal bytes.
func (s *Set) Sign(by signature.Signer) (*Set, error) {
	text, err := json.Marshal(statement{s.Digest()})
	if err != nil {
		return nil, err
	}
	envelope, err := signature.Seal(PayloadType, text, by)
	if err != nil {
		return nil, err
	}
	out := &Set{s.manifest, s.files, maps.Clone(s.signatures)}
	out.signatures[by.Public().ID+".dsse.json"], err = envelope.JSON()
	return out, err
}

// Check finds a key that vouches for the set; an error says why there is none.
func (s *Set) Check(keys []signature.Key) (signature.Key, error) {
	if len(s.signatures) == 0 {
		return signature.Key{}, errors.New("nobody signed it")
	}
	why := fmt.Errorf("it is signed by none of the %d trusted keys", len(keys))
	for _, name := range slices.Sorted(maps.Keys(s.signatures)) {
		kind, text, by, err := signature.Open(s.signatures[name], keys)
		if err != nil {
			continue
		}
		var of statement
		switch err := json.Unmarshal(text, &of); {
		case kind != PayloadType || err != nil:
			why = fmt.Errorf("key %s signed a %q, which vouches for no rule set", by.Short(), kind)
		case of.Ruleset != s.Digest():
			why = fmt.Errorf("key %s signed another rule set, %q", by.Short(), of.Ruleset)
		default:
			return by, nil
		}
	}
	return signature.Key{}, why
}
