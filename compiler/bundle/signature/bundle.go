package signature

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
)

// PayloadType is the type of what a bundle's signature signs. The type is signed
// as well, so that no other statement of a key passes for it.
const PayloadType = "application/vnd.meshc.bundle.v1+json"

// payload is what is signed. The bundle's digest covers all else of the bundle.
type payload struct {
	BundleDigest string `json:"bundleDigest"`
}

const suffix = ".dsse.json"

// Sign adds a signature to a bundle.
func Sign(b *bundle.Bundle, s Signer) (*bundle.Bundle, error) {
	text, err := json.Marshal(payload{b.Manifest.BundleDigest})
	if err != nil {
		return nil, err
	}
	envelope, err := Seal(PayloadType, text, s)
	if err != nil {
		return nil, err
	}
	out, err := envelope.JSON()
	if err != nil {
		return nil, err
	}
	return b.WithSignature(s.pub.ID+suffix, out), nil
}

// Check finds a key that vouches for a bundle. Without one it says why: nobody
// signed it (MSH0408), others did (MSH0409), or a signature that should be one
// of these keys' is damaged or of another bundle (MSH0410).
func Check(b *bundle.Bundle, keys []Key) (Key, diag.List) {
	files := b.Signatures()
	if len(files) == 0 {
		return Key{}, diag.List{diag.New("MSH0408", diag.Span{File: bundle.SignaturesDir}, "the bundle of mesh %q is not signed", b.Manifest.Mesh).
			WithEffect(notTaken).WithHelp("sign it when it is built: `meshc build --sign KEY`")}
	}
	var damaged diag.List
	var others []string
	for _, path := range slices.Sorted(maps.Keys(files)) {
		key, signers, err := check(files[path], b.Manifest.BundleDigest, keys)
		switch {
		case err != nil:
			damaged.Add(diag.New("MSH0410", diag.Span{File: path}, "%q does not sign this bundle: %v", path, err).
				WithEffect(notTaken).WithHelp("build the bundle again with --sign, or fetch it again"))
		case key.ID != "":
			return key, nil
		}
		others = append(others, signers...)
		others = others[:min(4, len(others))] // enough to recognise them
	}
	if len(damaged) > 0 {
		return Key{}, damaged
	}
	return Key{}, diag.List{diag.New("MSH0409", diag.Span{File: bundle.SignaturesDir}, "the bundle of mesh %q is signed by %s, and by none of the %d trusted keys (%s)",
		b.Manifest.Mesh, strings.Join(others, ", "), len(keys), names(keys)).
		WithEffect(notTaken).WithHelp("sign it with a trusted key, or trust the key that signed it")}
}

const notTaken = "the bundle is not taken; what was served before stays served"

// check reads one file. A key without an ID, and no error: others signed it,
// and these are named.
func check(data []byte, digest string, keys []Key) (by Key, others []string, err error) {
	e, err := parseEnvelope(data)
	if err != nil {
		return Key{}, nil, err
	}
	key, ok := e.by(keys)
	if !ok {
		for _, m := range e.Signatures {
			if slices.ContainsFunc(keys, func(k Key) bool { return k.ID == m.KeyID }) {
				return Key{}, nil, fmt.Errorf("the signature is not the one that key %s made", ShortID(m.KeyID))
			}
			others = append(others, signerName(m.KeyID))
		}
		return Key{}, others, nil
	}
	if e.PayloadType != PayloadType {
		return Key{}, nil, fmt.Errorf("key %s signed a %q, which vouches for no bundle", key.Short(), e.PayloadType)
	}
	var p payload
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return Key{}, nil, fmt.Errorf("what key %s signed cannot be read", key.Short())
	}
	if p.BundleDigest != digest {
		return Key{}, nil, fmt.Errorf("key %s signed the bundle %q", key.Short(), p.BundleDigest)
	}
	return key, nil, nil
}

func signerName(id string) string {
	if id == "" {
		return "a key that is not named"
	}
	return fmt.Sprintf("key %q", ShortID(id))
}

func names(keys []Key) string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Short())
	}
	return strings.Join(out, ", ")
}
