package upkeep

import (
	"bytes"
	"encoding/pem"
	"time"
)

// A change of the authority has three steps, and between them nobody is left without
// somebody to trust: the next authority is put into the bundle; once every caBundle has
// both, and some time has passed, it signs; and when that has settled, the old one goes.

// fresh is an authority and a certificate, made now.
func (w *Webhooks) fresh() (map[string][]byte, error) {
	s, err := newSigner(w.keeper.opts.Now(), w.lives.authority)
	if err != nil {
		return nil, err
	}
	return w.signed(s, certPEM(s.cert))
}

// signed is what the Secret holds once an authority signs.
func (w *Webhooks) signed(s signer, bundle []byte) (map[string][]byte, error) {
	now := w.keeper.opts.Now()
	cert, key, err := s.serve(w.opts.Hosts, now, w.lives.serving)
	if err != nil {
		return nil, err
	}
	own, err := s.keyPEM()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		servingCert: cert, servingKey: key, bundleName: bundle, signerCert: certPEM(s.cert), signerKey: own,
		sinceName: []byte(now.UTC().Format(time.RFC3339Nano)),
	}, nil
}

// due is when something must be replaced: at two thirds of its life.
func due(from, to time.Time) time.Time {
	return from.Add(backdate).Add(to.Sub(from.Add(backdate)) * 2 / 3)
}

// turn tells what the Secret is to hold next, nil if it is as it must be, and when to
// look again.
func (w *Webhooks) turn(m material) (again time.Duration, data map[string][]byte, err error) {
	now := w.keeper.opts.Now()
	settled := m.since.Add(w.lives.settle)
	authority := due(m.signer.cert.NotBefore, m.signer.cert.NotAfter)
	serving := due(m.serving.Leaf.NotBefore, m.serving.Leaf.NotAfter)
	switch {
	case m.next != nil && (now.Before(settled) || !w.everywhere(m.bundle)):
		again = max(settled.Sub(now), firstRetry)
	case m.next != nil:
		data, err = w.signed(*m.next, m.bundle)
	case !bytes.Equal(m.bundle, certPEM(m.signer.cert)) && !now.Before(settled):
		if data, err = w.signed(m.signer, certPEM(m.signer.cert)); err == nil { // the old one goes
			data[servingCert], data[servingKey] = nil, nil
			err = keepServing(data, m)
		}
	case !now.Before(authority):
		data, err = w.announce(m, now)
	case !now.Before(serving) || !w.names(m):
		data, err = w.signed(m.signer, m.bundle)
	default:
		again = min(authority.Sub(now), serving.Sub(now))
		if !bytes.Equal(m.bundle, certPEM(m.signer.cert)) {
			again = settled.Sub(now)
		}
	}
	if data != nil {
		again = firstRetry
	}
	return again, data, err
}

// announce puts the next authority beside the one that signs.
func (w *Webhooks) announce(m material, now time.Time) (map[string][]byte, error) {
	s, err := newSigner(now, w.lives.authority)
	if err != nil {
		return nil, err
	}
	key, err := s.keyPEM()
	if err != nil {
		return nil, err
	}
	own, err := m.signer.keyPEM()
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{
		bundleName: append(certPEM(m.signer.cert), certPEM(s.cert)...), signerCert: certPEM(m.signer.cert), signerKey: own,
		nextCert: certPEM(s.cert), nextKey: key, sinceName: []byte(now.UTC().Format(time.RFC3339Nano)),
	}
	return data, keepServing(data, m)
}

// keepServing takes over the certificate that is served.
func keepServing(data map[string][]byte, m material) error {
	var chain []byte
	for _, der := range m.serving.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	key, err := privatePEM(m.serving.PrivateKey)
	data[servingCert], data[servingKey] = chain, key
	return err
}

// everywhere tells whether all that calls us has the bundle.
func (w *Webhooks) everywhere(bundle []byte) bool {
	for _, t := range w.targets {
		if o := t.store.one("", t.name); !t.store.HasSynced() || o != nil && !t.has(o, bundle) {
			return false
		}
	}
	return true
}

// names tells whether the certificate is for all hosts: another namespace or cluster
// domain needs another one.
func (w *Webhooks) names(m material) bool {
	for _, h := range w.opts.Hosts {
		if m.serving.Leaf.VerifyHostname(h) != nil {
			return false
		}
	}
	return true
}
