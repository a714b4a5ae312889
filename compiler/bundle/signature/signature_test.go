package signature_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ed25519Key(t testing.TB) crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)(t)
}

func ecdsaKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	return must(ecdsa.GenerateKey(curve, rand.Reader))(t)
}

func privatePEM(t testing.TB, key crypto.Signer) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))(t)})
}

func publicPEM(t testing.TB, key crypto.Signer) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))(t)})
}

func signer(t testing.TB, key crypto.Signer) signature.Signer {
	return must(signature.ParsePrivate(privatePEM(t, key)))(t)
}

// small is a bundle of few bytes.
func small(t testing.TB, name string) *bundle.Bundle {
	id := ir.NewIdentity("cluster.local", "shop", "web")
	m := &ir.Mesh{Settings: ir.Settings{Name: name, TrustDomain: "cluster.local", Mode: ir.Strict}, Identities: []ir.Identity{id}}
	p := &ir.Plan{Resources: []ir.Resource{{Type: ir.TypeListener, Name: "outbound", Body: []byte("x")}},
		Scopes: []ir.Scope{{Ranged: ir.NoRef}}, Identities: []ir.IdentityPlan{{Identity: id}}}
	return must(bundle.Pack(bundle.Input{Mesh: m, Plan: p}))(t)
}

func codes(l diag.List) string {
	var out []string
	for _, f := range l {
		out = append(out, string(f.Code))
	}
	return strings.Join(out, " ")
}

// kinds are the kinds of key that sign.
func kinds(t testing.TB) map[string]crypto.Signer {
	return map[string]crypto.Signer{"ed25519": ed25519Key(t), "ecdsa": ecdsaKey(t, elliptic.P256())}
}

// Whoever trusts a key takes the bundles it signed, with either kind of key, and
// signing twice gives the same bytes.
func TestSignedBundleIsTaken(t *testing.T) {
	for kind, key := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			s, b := signer(t, key), small(t, "shop")
			signed := must(signature.Sign(b, s))(t)
			again := must(signature.Sign(b, s))(t)
			if !maps.EqualFunc(signed.Files(), again.Files(), slices.Equal) {
				t.Error("signing a bundle twice gives different bytes")
			}
			opened, findings := bundle.FromFiles(signed.Files())
			if opened == nil {
				t.Fatal(findings)
			}
			keys := must(signature.ParsePublic(slices.Concat(publicPEM(t, ed25519Key(t)), publicPEM(t, key))))(t)
			by, findings := signature.Check(opened, keys)
			if by.ID != s.Public().ID || len(findings) > 0 {
				t.Errorf("signed by %s, checked as by %q: %v", s.Public().ID, by.ID, findings)
			}
			if opened.Manifest.BundleDigest != b.Manifest.BundleDigest {
				t.Error("signing changed the bundle's digest")
			}
		})
	}
}

// Each way in which nobody vouches for a bundle has its own code.
func TestUntrustedBundleIsRefused(t *testing.T) {
	mine, theirs := ecdsaKey(t, elliptic.P256()), ed25519Key(t)
	keys := must(signature.ParsePublic(publicPEM(t, mine)))(t)
	b, other := small(t, "shop"), small(t, "other")
	envelope := func(s signature.Signer, payloadType, payload string) []byte {
		return must(must(signature.Seal(payloadType, []byte(payload), s))(t).JSON())(t)
	}
	copied := must(signature.Sign(other, signer(t, mine)))(t)
	foreign := b
	for path, content := range copied.Signatures() {
		foreign = foreign.WithSignature(filepath.Base(path), content)
	}
	right := fmt.Sprintf(`{"bundleDigest":%q}`, b.Manifest.BundleDigest)
	var stolen signature.Envelope
	if err := json.Unmarshal(envelope(signer(t, theirs), signature.PayloadType, right), &stolen); err != nil {
		t.Fatal(err)
	}
	stolen.Signatures[0].KeyID = keys[0].ID
	for name, c := range map[string]struct {
		bundle *bundle.Bundle
		want   string
	}{
		"unsigned":                         {b, "MSH0408"},
		"another key":                      {must(signature.Sign(b, signer(t, theirs)))(t), "MSH0409"},
		"another bundle's signature":       {foreign, "MSH0410"},
		"another type of statement":        {b.WithSignature("x", envelope(signer(t, mine), "application/vnd.in-toto+json", right)), "MSH0410"},
		"no payload of a bundle":           {b.WithSignature("x", envelope(signer(t, mine), signature.PayloadType, `[]`)), "MSH0410"},
		"another key under the key's name": {b.WithSignature("x", must(stolen.JSON())(t)), "MSH0410"},
		"no envelope":                      {b.WithSignature("x", []byte("{}")), "MSH0410"},
		"no JSON":                          {b.WithSignature("x", nil), "MSH0410"},
	} {
		t.Run(name, func(t *testing.T) {
			by, findings := signature.Check(c.bundle, keys)
			if by.ID != "" || codes(findings) != c.want {
				t.Errorf("taken as by %q, findings %v, want %s", by.ID, findings, c.want)
			}
		})
	}
}

// One signature of a trusted key is enough, whatever lies beside it.
func TestOneTrustedSignatureSuffices(t *testing.T) {
	mine, theirs := signer(t, ed25519Key(t)), signer(t, ecdsaKey(t, elliptic.P256()))
	b := must(signature.Sign(must(signature.Sign(small(t, "shop"), theirs))(t), mine))(t).WithSignature("0-damaged", []byte("?"))
	if by, findings := signature.Check(b, []signature.Key{mine.Public()}); by.ID != mine.Public().ID {
		t.Error(findings)
	}
}

// A single bit anywhere, in any file, signature included: refused.
func TestEveryBitCounts(t *testing.T) {
	for kind, key := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			s := signer(t, key)
			keys := []signature.Key{s.Public()}
			signed := must(signature.Sign(small(t, "shop"), s))(t).Files()
			bits := 0
			for path, content := range signed {
				for i := range content {
					for bit := range 8 {
						altered := slices.Clone(content)
						altered[i] ^= 1 << bit
						files := maps.Clone(signed)
						files[path] = altered
						bits++
						b, findings := bundle.FromFiles(files)
						if b == nil && len(findings) > 0 {
							continue
						}
						if by, findings := signature.Check(b, keys); by.ID != "" || len(findings) == 0 {
							t.Fatalf("%s with bit %d of byte %d turned (%q for %q) is taken", path, bit, i, altered[i], content[i])
						}
					}
				}
			}
			if bits < 8*1000 {
				t.Errorf("only %d bits were tried", bits)
			}
		})
	}
}

// What is no key, or a key of a kind that is not taken, is refused with the
// reason, and the reason does not show the key.
func TestKeysAreRefused(t *testing.T) {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	key := privatePEM(t, ed25519Key(t))
	secret := strings.Split(string(key), "\n")[1]
	for name, c := range map[string]struct{ pem, want string }{
		"public":    {string(publicPEM(t, rsaKey)), "public key"},
		"rsa":       {string(privatePEM(t, rsaKey)), "rsa"},
		"p384":      {string(privatePEM(t, ecdsaKey(t, elliptic.P384()))), "P-384"},
		"nothing":   {"hello", "no private key"},
		"cosign":    {string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: []byte("{}")})), "encrypted"},
		"truncated": {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte(secret)})), "cannot be read"},
	} {
		_, err := signature.ParsePrivate([]byte(c.pem))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := string(publicPEM(t, ed25519Key(t)))
	for name, text := range map[string]string{"private": string(key), "rsa": string(publicPEM(t, rsaKey)), "nothing": "", "cut": good + good[:len(good)/2]} {
		if keys, err := signature.ParsePublic([]byte(text)); err == nil {
			t.Errorf("%s: read as %v", name, keys)
		}
	}
}

// Keys that openssl writes in the old form sign as well.
func TestOldFormOfECKeys(t *testing.T) {
	key := ecdsaKey(t, elliptic.P256())
	der := must(x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey)))(t)
	text := slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	if got := must(signature.ParsePrivate(text))(t).Public().ID; got != signer(t, key).Public().ID {
		t.Errorf("read as key %s", got)
	}
}

func TestSignersPrintNothing(t *testing.T) {
	s := signer(t, ed25519Key(t))
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, s); got != "[redacted]" {
			t.Errorf("%s prints %s", format, got)
		}
	}
}

// A folder of keys is all of them; one that cannot be used leaves none.
func TestFolderOfKeys(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if keys, findings, err := signature.LoadKeys(dir); err != nil || len(keys) > 0 || codes(findings) != "MSH0411" {
		t.Errorf("an empty folder: %v %v %v", keys, findings, err)
	}
	one, two := publicPEM(t, ed25519Key(t)), publicPEM(t, ecdsaKey(t, elliptic.P256()))
	write("a.pub", one)
	write("b.pub", slices.Concat(two, one))
	write(".hidden", []byte("x"))
	if err := os.Mkdir(filepath.Join(dir, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	if keys, findings, err := signature.LoadKeys(dir); err != nil || len(keys) != 2 || len(findings) > 0 {
		t.Errorf("%v %v %v", keys, findings, err)
	}
	write("c.pub", []byte("no key"))
	keys, findings, err := signature.LoadKeys(dir)
	if err != nil || len(keys) > 0 || codes(findings) != "MSH0411" || !strings.HasSuffix(findings[0].At().File, "c.pub") {
		t.Errorf("%v %v %v", keys, findings, err)
	}
	if _, _, err := signature.LoadKeys(filepath.Join(dir, "absent")); err == nil {
		t.Error("a path that is not there was read")
	}
}
