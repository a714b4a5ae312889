package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/meshc/meshc/catalog/token"
)

// signer is the store's own key, for tokens that are signed well and wrong otherwise.
func signer(t testing.TB, dir string) *ecdsa.PrivateKey {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "token", "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*ecdsa.PrivateKey)
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func unsigned(header, claims any) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
}

func TestForgeriesAreRefusedWithTheirReason(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	s := open(t, dir, c)
	raw, made := create(t, s, time.Hour)
	key := signer(t, dir)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims := func(change func(map[string]any)) map[string]any {
		m := map[string]any{"sub": cart, "aud": "meshc", "jti": made.ID, "family": made.ID, "iat": start.Unix(), "nbf": start.Unix(), "exp": start.Add(time.Hour).Unix()}
		if change != nil {
			change(m)
		}
		return m
	}
	set := func(k string, v any) map[string]any { return claims(func(m map[string]any) { m[k] = v }) }
	without := func(k string) map[string]any { return claims(func(m map[string]any) { delete(m, k) }) }
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	hs := unsigned(map[string]any{"alg": "HS256"}, claims(nil))
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(hs))
	parts := strings.Split(raw, ".")
	if _, err := s.Verify(sign(t, jose.ES256, key, claims(nil)), start); err != nil {
		t.Fatalf("the test's own tokens are no good: %v", err)
	}
	for name, f := range map[string]struct {
		raw  string
		want error
	}{
		"nothing":                         {"", token.ErrMalformed},
		"words":                           {"let me in", token.ErrMalformed},
		"a megabyte":                      {strings.Repeat("a", 1<<20), token.ErrMalformed},
		"alg none":                        {unsigned(map[string]any{"alg": "none"}, claims(nil)) + ".", token.ErrAlgorithm},
		"alg None":                        {unsigned(map[string]any{"alg": "None"}, claims(nil)) + ".", token.ErrAlgorithm},
		"HMAC with the public key":        {hs + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), token.ErrAlgorithm},
		"another key":                     {sign(t, jose.ES256, other, claims(nil)), token.ErrKey},
		"claims swapped":                  {parts[0] + "." + strings.Split(unsigned(0, set("sub", "spiffe://cluster.local/ns/shop/sa/admin")), ".")[1] + "." + parts[2], token.ErrKey},
		"signature cut":                   {raw[:len(raw)-4], token.ErrKey},
		"another audience":                {sign(t, jose.ES256, key, set("aud", "kubernetes")), token.ErrAudience},
		"two audiences":                   {sign(t, jose.ES256, key, set("aud", []string{"meshc", "kubernetes"})), token.ErrAudience},
		"no audience":                     {sign(t, jose.ES256, key, without("aud")), token.ErrAudience},
		"no end":                          {sign(t, jose.ES256, key, without("exp")), token.ErrMalformed},
		"no start":                        {sign(t, jose.ES256, key, without("nbf")), token.ErrMalformed},
		"no id":                           {sign(t, jose.ES256, key, without("jti")), token.ErrMalformed},
		"no family":                       {sign(t, jose.ES256, key, without("family")), token.ErrMalformed},
		"a subject that is no SPIFFE id":  {sign(t, jose.ES256, key, set("sub", "shop/cart")), token.ErrMalformed},
		"a workload that leads elsewhere": {sign(t, jose.ES256, key, set("workload", "shop/../x")), token.ErrMalformed},
		"a life of ten years":             {sign(t, jose.ES256, key, set("exp", start.Add(87600*time.Hour).Unix())), token.ErrMalformed},
	} {
		if _, err := s.Verify(f.raw, start); !errors.Is(err, f.want) {
			t.Errorf("%s: %v, want %v", name, err, f.want)
		}
	}
}
