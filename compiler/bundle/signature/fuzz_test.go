package signature_test

import (
	"bytes"
	"testing"

	"github.com/meshc/meshc/compiler/bundle/signature"
)

// FuzzCheck puts any bytes in place of a signature: no panic, and nothing but
// the trusted key's own envelope (spaces aside) vouches for the bundle.
func FuzzCheck(f *testing.F) {
	s, b := signer(f, ed25519Key(f)), small(f, "shop")
	good := must(signature.Sign(b, s))(f).Signatures()["signatures/"+s.Public().ID+".dsse.json"]
	f.Add(good)
	f.Add(bytes.Replace(good, []byte(`"keyid":"`+s.Public().ID), []byte(`"keyid":"`), 1))
	f.Add([]byte(`{"payload":"","payloadType":"","signatures":[{"keyid":"","sig":""}]}`))
	mark := bytes.Index(good, []byte(`"sig":"`))
	sig := good[mark : mark+40]
	f.Fuzz(func(t *testing.T, envelope []byte) {
		by, findings := signature.Check(b.WithSignature("x", envelope), []signature.Key{s.Public()})
		if (by.ID == "") != (len(findings) > 0) {
			t.Fatalf("signed by %q with the findings %v", by.ID, findings)
		}
		if by.ID != "" && !bytes.Contains(envelope, sig) {
			t.Fatalf("%s vouches for the bundle", envelope)
		}
	})
}
