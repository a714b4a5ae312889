// Package token makes and judges join tokens, by which machines without
// Kubernetes prove to the control plane who they are: JWTs signed with ES256 by
// a key in the state folder. It knows neither streams nor certificates.
package token

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/meshc/meshc/catalog/state"
	"github.com/meshc/meshc/compiler/ir"
)

// Audience is the aud claim of every join token.
const Audience = "meshc"

// The bounds of a token: its life, and its length in bytes as sent.
const (
	MinTTL    = time.Minute
	MaxTTL    = 90 * 24 * time.Hour
	maxLength = 4096
)

// Why a token does not count. Verify returns one of these, wrapped or bare.
var (
	ErrMalformed = errors.New("the token is not a join token")
	ErrAlgorithm = errors.New("the token is not signed with ES256")
	ErrKey       = errors.New("the token is not signed by this control plane's key")
	ErrAudience  = errors.New("the token is for another audience than " + Audience)
	ErrExpired   = errors.New("the token has expired")
	ErrEarly     = errors.New("the token is not valid yet")
	ErrRevoked   = errors.New("the token is revoked")
	ErrState     = errors.New("the list of revoked tokens cannot be read")
)

// Claims are what a valid token says.
type Claims struct {
	ID       string
	Family   string // the id of the token that this one was renewed from in the end; its own if it was not
	Identity ir.Identity
	Workload string // NAMESPACE/NAME in the catalog; may be empty
	Issued   time.Time
	Expires  time.Time
}

// Store is the key and the lists in the folder `token` of a state folder. It is
// safe for concurrent use, by several processes too.
type Store struct {
	dir     string
	now     func() time.Time
	key     *ecdsa.PrivateKey
	kid     string
	revoked *revocations
	log     *slog.Logger
}

// Options of a Store; the zero value is useful.
type Options struct {
	Now func() time.Time // time.Now
	Log *slog.Logger     // slog.Default()
	// Existing refuses a state folder that no token was made in: whoever lists or
	// revokes means one that is there, and a slip in its name must not go by unseen.
	Existing bool
}

// Open reads the key in the folder `token` of the state folder, or makes one
// unless opts.Existing.
func Open(stateDir string, opts Options) (*Store, error) {
	s := &Store{dir: filepath.Join(stateDir, "token"), now: opts.Now, log: opts.Log}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	path := filepath.Join(s.dir, "key.pem")
	if _, err := os.Stat(path); opts.Existing && err != nil {
		return nil, fmt.Errorf("join tokens: none was ever made in the state folder %s: %w", stateDir, err)
	}
	if err := state.Dir(s.dir); err != nil {
		return nil, fmt.Errorf("join tokens: %w", err)
	}
	key, err := openKey(path)
	if err != nil {
		return nil, fmt.Errorf("join tokens: %w", err)
	}
	s.key, s.kid = key, keyID(key)
	s.revoked = &revocations{path: filepath.Join(s.dir, revokedFile)}
	return s, nil
}

// private are the claims beside the registered ones.
type private struct {
	Workload string `json:"workload,omitempty"`
	Family   string `json:"family,omitempty"`
}

// Create signs a token for an identity, and for one of its workloads if given.
func (s *Store) Create(id ir.Identity, workload string, ttl time.Duration) (raw string, c Claims, err error) {
	now := s.now().Truncate(time.Second)
	c = Claims{ID: newID(), Identity: id, Workload: workload, Issued: now, Expires: now.Add(ttl)}
	c.Family = c.ID
	return s.issue(c)
}

// Renew signs a new token for the identity, workload and life of a valid one.
// The old one stays valid until it expires, so that a failed write loses nothing.
func (s *Store) Renew(raw string) (renewed string, c Claims, err error) {
	old, err := s.Verify(raw, s.now())
	if err != nil {
		return "", Claims{}, err
	}
	now := s.now().Truncate(time.Second)
	return s.issue(Claims{ID: newID(), Family: old.Family, Identity: old.Identity, Workload: old.Workload,
		Issued: now, Expires: now.Add(old.Expires.Sub(old.Issued))})
}

func (s *Store) issue(c Claims) (string, Claims, error) {
	if err := c.check(); err != nil {
		return "", Claims{}, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", s.kid))
	if err != nil {
		return "", Claims{}, fmt.Errorf("join token: %w", err)
	}
	raw, err := jwt.Signed(signer).Claims(jwt.Claims{
		Subject: string(c.Identity), Audience: jwt.Audience{Audience}, ID: c.ID,
		IssuedAt: jwt.NewNumericDate(c.Issued), NotBefore: jwt.NewNumericDate(c.Issued), Expiry: jwt.NewNumericDate(c.Expires),
	}).Claims(private{c.Workload, c.Family}).Serialize()
	if err != nil {
		return "", Claims{}, fmt.Errorf("join token: %w", err)
	}
	if len(raw) > maxLength {
		return "", Claims{}, fmt.Errorf("join token: identity and workload are too long for a token of %d bytes", maxLength)
	}
	// Written before the token is shown: what nobody can list nobody can revoke.
	if err := s.record(c); err != nil {
		return "", Claims{}, fmt.Errorf("join token: %w", err)
	}
	return raw, c, nil
}

func (c Claims) check() error {
	if err := c.Identity.Check(); err != nil {
		return fmt.Errorf("join token: identity %q: %w", c.Identity, err)
	}
	if !validWorkload(c.Workload) {
		return fmt.Errorf("join token: workload %q is not NAMESPACE/NAME", c.Workload)
	}
	if ttl := c.Expires.Sub(c.Issued); ttl < MinTTL || ttl > MaxTTL {
		return fmt.Errorf("join token: a life of %s is not between %s and %s", ttl, MinTTL, MaxTTL)
	}
	return nil
}

// validWorkload accepts NAMESPACE/NAME and nothing at all. Names are those of
// the catalog: letters, digits, dots, dashes, underscores.
func validWorkload(w string) bool {
	if w == "" {
		return true
	}
	ns, name, ok := strings.Cut(w, "/")
	return ok && validName(ns) && validName(name)
}

func validName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	}) < 0
}

// newID is 80 random bits in 16 lower-case letters and digits: enough never to
// meet twice, short enough to be typed.
func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the program instead
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

func validID(id string) bool {
	return len(id) == 16 && strings.IndexFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '2' || r > '7')
	}) < 0
}
