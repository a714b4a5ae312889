package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/meshc/meshc/catalog/token"
)

// Whatever text comes in place of a token: no panic, and nothing counts but what
// this control plane signed, for whom it signed it.
func FuzzVerify(f *testing.F) {
	s, err := token.Open(f.TempDir(), token.Options{Now: func() time.Time { return start }})
	if err != nil {
		f.Fatal(err)
	}
	raw, _, err := s.Create(cart, "shop/vm-1", time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(strings.Replace(raw, ".", ". ", 1))
	f.Add(unsigned(map[string]any{"alg": "none"}, map[string]any{"sub": cart}) + ".")
	f.Add(unsigned(map[string]any{"alg": "ES256", "crit": []string{"b64"}, "b64": false}, nil) + "." + strings.Split(raw, ".")[2])
	f.Add(`{"payload":"e30","signatures":[{"protected":"eyJhbGciOiJFUzI1NiJ9","signature":"AA"}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		c, err := s.Verify(in, start)
		if err == nil && (c.Identity != cart || c.Workload != "shop/vm-1") {
			t.Fatalf("%q counts as %+v", in, c)
		}
	})
}

// Whatever is signed with the right key, by a release with a defect or by another
// program that was given it: what counts as a token is an identity of a mesh, and
// lives no longer than tokens may.
func FuzzClaims(f *testing.F) {
	dir := f.TempDir()
	s, err := token.Open(dir, token.Options{Now: func() time.Time { return start }})
	if err != nil {
		f.Fatal(err)
	}
	key, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: signer(f, dir)}, nil)
	if err != nil {
		f.Fatal(err)
	}
	const id = `"aud":"meshc","jti":"aaaaaaaaaaaaaaaa","family":"aaaaaaaaaaaaaaaa"`
	for _, seed := range []string{
		`{"sub":"spiffe://cluster.local/ns/shop/sa/cart","iat":1772366400,"nbf":1772366400,"exp":1772370000,"workload":"shop/vm-1",` + id + `}`,
		`{"sub":"spiffe://cluster.local/ns/shop/sa/cart/../x","iat":1772366400,"nbf":1772366400,"exp":1772370000,` + id + `}`,
		`{"sub":"spiffe://cluster.local/ns//sa/","iat":-1,"nbf":1e3,"exp":1e300,` + id + `}`,
		`{"sub":"spiffe://cluster.local/ns/shop/sa/cart","sub":"spiffe://cluster.local/ns/shop/sa/admin","iat":1772366400.5,"nbf":0,"exp":9007199254740993,` + id + `}`,
		`{"aud":["meshc","meshc"],"workload":{"a":1}}`, `null`, `[]`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, claims []byte) {
		signed, err := key.Sign(claims)
		if err != nil {
			return
		}
		raw, err := signed.CompactSerialize()
		if err != nil {
			return
		}
		c, err := s.Verify(raw, start)
		if err != nil {
			return
		}
		if why := c.Identity.Check(); why != nil {
			t.Errorf("%s counts for the identity %q: %v", claims, c.Identity, why)
		}
		if life := c.Expires.Sub(c.Issued); life <= 0 || life > token.MaxTTL || !start.Before(c.Expires) {
			t.Errorf("%s counts from %s to %s", claims, c.Issued, c.Expires)
		}
		if c.Workload != "" && strings.Count(c.Workload, "/") != 1 {
			t.Errorf("%s counts for the workload %q", claims, c.Workload)
		}
	})
}
