package token

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/meshc/meshc/compiler/ir"
)

// Verify reads a token and says whether it counts at the time now. The list of
// revoked tokens is read again whenever another process changed it.
func (s *Store) Verify(raw string, now time.Time) (Claims, error) {
	reg, own, err := s.signed(strings.TrimSpace(raw))
	if err != nil {
		return Claims{}, err
	}
	c := Claims{ID: reg.ID, Family: own.Family, Identity: ir.Identity(reg.Subject), Workload: own.Workload}
	if reg.IssuedAt == nil || reg.NotBefore == nil || reg.Expiry == nil || !validID(c.ID) || !validID(c.Family) {
		return Claims{}, ErrMalformed
	}
	c.Issued, c.Expires = reg.IssuedAt.Time(), reg.Expiry.Time()
	if len(reg.Audience) != 1 || reg.Audience[0] != Audience {
		return Claims{}, ErrAudience
	}
	if err := c.check(); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if now.Before(reg.NotBefore.Time()) {
		return Claims{}, ErrEarly
	}
	if !now.Before(c.Expires) {
		return Claims{}, fmt.Errorf("%w: %s of %s", ErrExpired, c.ID, c.Identity.Short())
	}
	switch revoked, err := s.revoked.has(c.ID, c.Family); {
	case err != nil:
		return Claims{}, fmt.Errorf("%w: %w", ErrState, err)
	case revoked:
		return Claims{}, fmt.Errorf("%w: %s of %s", ErrRevoked, c.ID, c.Identity.Short())
	}
	return c, nil
}

// signed checks the signature before anything is believed.
func (s *Store) signed(raw string) (reg jwt.Claims, own private, err error) {
	if raw == "" || len(raw) > maxLength {
		return reg, own, ErrMalformed
	}
	t, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	var alg *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &alg):
		return reg, own, ErrAlgorithm
	case err != nil || len(t.Headers) != 1:
		return reg, own, ErrMalformed
	}
	err = t.Claims(&s.key.PublicKey, &reg, &own)
	switch {
	case errors.Is(err, jose.ErrCryptoFailure):
		return reg, own, ErrKey
	case err != nil:
		return reg, own, ErrMalformed
	}
	return reg, own, nil
}
