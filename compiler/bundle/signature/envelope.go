package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Envelope is a DSSE envelope, https://github.com/secure-systems-lab/dsse.
type Envelope struct {
	Payload     []byte `json:"payload"`
	PayloadType string `json:"payloadType"`
	Signatures  []Mark `json:"signatures"`
}

// Mark is one signature of an envelope.
type Mark struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// preAuth is DSSE's pre-authentication encoding: what is signed.
func preAuth(payloadType string, payload []byte) []byte {
	out := []byte("DSSEv1 ")
	out = append(strconv.AppendInt(out, int64(len(payloadType)), 10), ' ')
	out = append(append(out, payloadType...), ' ')
	out = append(strconv.AppendInt(out, int64(len(payload)), 10), ' ')
	return append(out, payload...)
}

// Seal signs a payload. Equal input gives equal bytes: ECDSA takes its nonce
// from key and message (RFC 6979).
func Seal(payloadType string, payload []byte, signers ...Signer) (Envelope, error) {
	e := Envelope{Payload: payload, PayloadType: payloadType}
	message := preAuth(payloadType, payload)
	for _, s := range signers {
		sig, err := s.sign(message)
		if err != nil {
			return Envelope{}, err
		}
		e.Signatures = append(e.Signatures, Mark{KeyID: s.pub.ID, Sig: sig})
	}
	return e, nil
}

func (s Signer) sign(message []byte) ([]byte, error) {
	if _, ok := s.key.(ed25519.PrivateKey); ok {
		return s.key.Sign(nil, message, crypto.Hash(0))
	}
	sum := sha256.Sum256(message)
	return s.key.Sign(nil, sum[:], crypto.SHA256)
}

// JSON is the envelope as it lies on disk: one line.
func (e Envelope) JSON() ([]byte, error) {
	out, err := json.Marshal(e)
	return append(out, '\n'), err
}

// parseEnvelope reads an envelope, and takes no two spellings of one: spaces
// aside, the bytes are those that JSON writes. So no bit of a signature can
// change unseen.
func parseEnvelope(data []byte) (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("it is no DSSE envelope: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return e, err
	}
	want, err := json.Marshal(e)
	if err != nil {
		return e, err
	}
	if !bytes.Equal(compact.Bytes(), want) {
		return e, errors.New("it is no DSSE envelope with the fields payload, payloadType and signatures (keyid, sig), in this order and no others")
	}
	if len(e.Signatures) == 0 {
		return e, errors.New("the envelope holds no signature")
	}
	return e, nil
}

// IsEnvelope tells whether a file is a DSSE envelope, whoever signed it.
func IsEnvelope(data []byte) bool {
	_, err := parseEnvelope(data)
	return err == nil
}

// Open gives what an envelope holds if one of the keys signed it.
func Open(data []byte, keys []Key) (payloadType string, payload []byte, by Key, err error) {
	e, err := parseEnvelope(data)
	if err != nil {
		return "", nil, Key{}, err
	}
	by, ok := e.by(keys)
	if !ok {
		return "", nil, Key{}, fmt.Errorf("none of the keys (%s) signed it", names(keys))
	}
	return e.PayloadType, e.Payload, by, nil
}

// by finds the first key that made one of the signatures. A key ID is a hint
// that narrows the search and is believed for nothing else.
func (e Envelope) by(keys []Key) (key Key, ok bool) {
	message := preAuth(e.PayloadType, e.Payload)
	for _, m := range e.Signatures {
		for _, k := range keys {
			if (m.KeyID == "" || m.KeyID == k.ID) && k.verify(message, m.Sig) {
				return k, true
			}
		}
	}
	return Key{}, false
}

func (k Key) verify(message, sig []byte) bool {
	switch pub := k.key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(pub, message, sig)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(pub, sum[:], sig)
	}
	return false
}
