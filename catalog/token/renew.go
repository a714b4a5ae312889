package token

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// RenewPath is where the handler wants to be mounted.
const RenewPath = "/v1/token/renew"

// What a renewal costs is a signature and a written file, so both the calls of
// all and those of one family of tokens are bounded.
const (
	callsPerSecond = 50
	callsBurst     = 100
	familyEvery    = 5 * time.Second
	familyBurst    = 3
	maxBody        = 1 << 10
)

// Renewal is the answer to a renewal.
type Renewal struct {
	Token   string    `json:"token"`
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
}

// Refusal is the answer where there is no renewal.
type Refusal struct {
	Error string `json:"error"`
}

// Handler answers POST /v1/token/renew with the old token as bearer by a
// Renewal in JSON. It refuses calls that did not come over TLS.
func (s *Store) Handler() http.Handler {
	h := &renewer{store: s, all: &bucket{rate: callsPerSecond, burst: callsBurst}, families: map[string]*bucket{}}
	mux := http.NewServeMux()
	mux.Handle("POST "+RenewPath, h)
	return mux
}

type renewer struct {
	store *Store
	all   *bucket

	mu       sync.Mutex
	families map[string]*bucket
}

func (h *renewer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.TLS == nil {
		refuse(w, http.StatusForbidden, "tokens are renewed over TLS only")
		return
	}
	now := h.store.now()
	if !h.all.take(now) {
		tooMany(w)
		return
	}
	raw, ok := Bearer(r.Header.Get("Authorization"))
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="meshc"`)
		refuse(w, http.StatusUnauthorized, "the old token is missing: send it as 'Authorization: Bearer TOKEN'")
		return
	}
	old, err := h.store.Verify(raw, now)
	if err != nil {
		h.denied(w, err)
		return
	}
	if !h.family(old.Family, now) {
		tooMany(w)
		return
	}
	renewed, c, err := h.store.Renew(raw)
	if err != nil {
		h.denied(w, err)
		return
	}
	answer(w, http.StatusOK, Renewal{Token: renewed, ID: c.ID, Expires: c.Expires.UTC()})
}

// denied tells a bad token from a server that cannot work.
func (h *renewer) denied(w http.ResponseWriter, err error) {
	for _, known := range []error{ErrMalformed, ErrAlgorithm, ErrKey, ErrAudience, ErrExpired, ErrEarly, ErrRevoked} {
		if errors.Is(err, known) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="meshc", error="invalid_token"`)
			refuse(w, http.StatusUnauthorized, known.Error())
			return
		}
	}
	h.store.log.Error("cannot renew a join token", "error", err)
	refuse(w, http.StatusInternalServerError, "the control plane cannot renew tokens now: its log says why")
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	refuse(w, http.StatusTooManyRequests, "too many renewals: try again in some seconds")
}

func refuse(w http.ResponseWriter, status int, why string) { answer(w, status, Refusal{why}) }

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that went away is not our fault
}

// Bearer is the token in an authorization value. Envoy's credential injector
// sends the token file's bytes without a scheme, so a bare token counts too.
func Bearer(value string) (raw string, ok bool) {
	if scheme, rest, found := strings.Cut(value, " "); found && strings.EqualFold(scheme, "Bearer") {
		value = rest
	}
	raw = strings.TrimSpace(value)
	return raw, raw != "" && !strings.ContainsAny(raw, " \t")
}

// family bounds the renewals of one lineage. Full buckets are forgotten, so the
// map holds only who called lately with a valid token.
func (h *renewer) family(id string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, b := range h.families {
		if b.full(now) {
			delete(h.families, k)
		}
	}
	b := h.families[id]
	if b == nil {
		b = &bucket{rate: 1 / familyEvery.Seconds(), burst: familyBurst}
		h.families[id] = b
	}
	return b.take(now)
}

// bucket is a token bucket that starts full; rate is a second.
type bucket struct {
	rate, burst float64

	mu   sync.Mutex
	used float64
	last time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drain(now)
	if b.used+1 > b.burst {
		return false
	}
	b.used++
	return true
}

func (b *bucket) full(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drain(now)
	return b.used == 0
}

func (b *bucket) drain(now time.Time) {
	if d := now.Sub(b.last); d > 0 {
		b.used = max(0, b.used-d.Seconds()*b.rate)
		b.last = now
	}
}
