package token

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/meshc/meshc/catalog/state"
	"github.com/meshc/meshc/compiler/ir"
)

const (
	issuedFile  = "issued.json"
	revokedFile = "revoked.json"
)

// Record is what the state folder remembers of a token: never the token itself.
type Record struct {
	ID       string      `json:"id"`
	Family   string      `json:"family"`
	Identity ir.Identity `json:"identity"`
	Workload string      `json:"workload,omitempty"`
	Issued   time.Time   `json:"issued"`
	Expires  time.Time   `json:"expires"`
	Revoked  bool        `json:"revoked,omitempty"` // only List tells; the file does not
}

// revocation is kept until every token it can concern has expired.
type revocation struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}

// List is the tokens that have not expired, the oldest first.
func (s *Store) List() ([]Record, error) {
	recs, err := readList[Record](s.path(issuedFile))
	if err != nil {
		return nil, fmt.Errorf("join tokens: %w", err)
	}
	recs = slices.DeleteFunc(recs, func(r Record) bool { return !s.now().Before(r.Expires) })
	for i, r := range recs {
		if recs[i].Revoked, err = s.revoked.has(r.ID, r.Family); err != nil {
			return nil, fmt.Errorf("join tokens: %w", err)
		}
	}
	return recs, nil
}

// Revoke ends a token and every token that was renewed from the same one:
// who stole a token may have renewed it. known is false when no token of this
// id is in the list; the id is revoked all the same.
func (s *Store) Revoke(id string) (known bool, err error) {
	if !validID(id) {
		return false, fmt.Errorf("%q is not the id of a token: ids are 16 letters and digits, see token list", id)
	}
	unlock, err := state.Lock(s.dir)
	if err != nil {
		return false, err
	}
	defer unlock()
	recs, err := readList[Record](s.path(issuedFile))
	if err != nil {
		return false, err
	}
	ids := []string{id}
	if i := slices.IndexFunc(recs, func(r Record) bool { return r.ID == id }); i >= 0 {
		known = true
		ids = append(ids, recs[i].Family)
	}
	return known, s.revoke(ids)
}

// Revoked tells whether a token that was valid has been revoked since.
func (s *Store) Revoked(c Claims) (bool, error) { return s.revoked.has(c.ID, c.Family) }

func (s *Store) revoke(ids []string) error {
	list, err := readList[revocation](s.path(revokedFile))
	if err != nil {
		return err
	}
	now := s.now()
	list = slices.DeleteFunc(list, func(r revocation) bool { return !now.Before(r.Until) || slices.Contains(ids, r.ID) })
	for _, id := range ids {
		list = append(list, revocation{id, now.Add(MaxTTL).UTC()})
	}
	slices.SortFunc(list, func(a, b revocation) int { return cmp.Compare(a.ID, b.ID) })
	list = slices.Compact(list)
	return writeList(s.path(revokedFile), list)
}

// record adds a token to the list and forgets the expired ones.
func (s *Store) record(c Claims) error {
	unlock, err := state.Lock(s.dir)
	if err != nil {
		return err
	}
	defer unlock()
	recs, err := readList[Record](s.path(issuedFile))
	if err != nil {
		return err
	}
	recs = slices.DeleteFunc(recs, func(r Record) bool { return !s.now().Before(r.Expires) })
	recs = append(recs, Record{ID: c.ID, Family: c.Family, Identity: c.Identity, Workload: c.Workload, Issued: c.Issued.UTC(), Expires: c.Expires.UTC()})
	return writeList(s.path(issuedFile), recs)
}

func (s *Store) path(file string) string { return filepath.Join(s.dir, file) }

func readList[T any](path string) ([]T, error) {
	data, err := state.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []T
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func writeList[T any](path string, list []T) error {
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return state.Write(path, append(data, '\n'))
}

// revocations is the list of revoked ids as last read. The file is replaced by
// rename, so another inode, size or time tells that it changed.
type revocations struct {
	path string

	mu   sync.Mutex
	seen fs.FileInfo // nil: no file
	ids  map[string]bool
}

func (r *revocations) has(ids ...string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(); err != nil {
		return false, err
	}
	return slices.ContainsFunc(ids, func(id string) bool { return r.ids[id] }), nil
}

func (r *revocations) refresh() error {
	info, err := os.Stat(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// A list that was there and is gone would silently bring tokens back.
		if r.seen != nil {
			return fmt.Errorf("%s is gone: restore it, or restart to do without", r.path)
		}
		return nil
	case err != nil:
		return err
	case r.seen != nil && os.SameFile(r.seen, info) && r.seen.Size() == info.Size() && r.seen.ModTime().Equal(info.ModTime()):
		return nil
	}
	list, err := readList[revocation](r.path)
	if err != nil {
		return err
	}
	r.ids = map[string]bool{}
	for _, e := range list {
		r.ids[e.ID] = true
	}
	r.seen = info
	return nil
}

// openKey reads the signing key or makes it. Of several processes that begin
// together one makes it, the others read that one.
func openKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := state.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		data, err = state.Read(path)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key in PEM: restore it, or remove it and create every token anew", path)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s is not an ECDSA P-256 key", path)
	}
	return key, nil
}

func createKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return state.Create(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func keyID(key *ecdsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:8])
}
