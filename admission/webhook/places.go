package webhook

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// The server is open to whoever reaches it, so what it reads at a time is bounded: a call
// takes a place by the length of its body before any of that is read. In all these bodies
// are 32 MiB of short calls, 32 MiB of long reviews and two long conversions. An address
// has an eighth of the places of a row, and at least one.
const (
	shortBody     = 256 << 10
	shortAtOnce   = 128
	longReview    = 8 << 20 // of lists that are converted too; longer reviews are none
	reviewsAtOnce = 4
	maxConversion = 128 << 20
	longAtOnce    = 2
	// placeWait is how long a call waits for a place; API servers wait for 5 seconds.
	placeWait = 2 * time.Second
	// bodyTimeout is how long a body may take that has its place.
	bodyTimeout = 5 * time.Second
)

// places bounds how many calls are read and answered at a time, by the length of bodies.
type places struct{ short, review, long *row }

func newPlaces() *places {
	return &places{newRow(shortAtOnce), newRow(reviewsAtOnce), newRow(longAtOnce)}
}

// of is the row in which a call waits whose body may have most bytes.
func (p *places) of(length, most int64) *row {
	if length < 0 { // nobody knows
		length = most
	}
	switch {
	case length <= shortBody:
		return p.short
	case length <= longReview:
		return p.review
	}
	return p.long
}

// bounded lets a handler answer once there is a place for its call.
func (p *places) bounded(most int64, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > most {
			http.Error(w, "the review is too long", http.StatusRequestEntityTooLarge)
			return
		}
		row := p.of(r.ContentLength, most)
		ctx, cancel := context.WithTimeout(r.Context(), placeWait)
		leave, ok := row.enter(ctx, caller(r))
		cancel()
		if !ok {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many calls are under way", http.StatusServiceUnavailable)
			return
		}
		defer leave()
		if row != p.long { // a recorder in a test has no deadlines
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		}
		h.ServeHTTP(w, r)
	})
}

// caller is the address that a call comes from.
func caller(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// row is places of a kind. No address has more than its share of them, or one that sends
// its bodies slowly would keep everybody out.
type row struct {
	places chan struct{}
	share  int

	mu    sync.Mutex
	these map[string]*callers
}

// callers are the calls of an address.
type callers struct {
	places chan struct{}
	calls  int // that have a place or wait for one
}

// shares is how many addresses fill a row.
const shares = 8

func newRow(n int) *row {
	return &row{places: make(chan struct{}, n), share: max(1, n/shares), these: map[string]*callers{}}
}

// enter waits for a place, first among those of its address; leave gives it back.
func (r *row) enter(ctx context.Context, address string) (leave func(), ok bool) {
	r.mu.Lock()
	c := r.these[address]
	if c == nil {
		c = &callers{places: make(chan struct{}, r.share)}
		r.these[address] = c
	}
	c.calls++
	r.mu.Unlock()
	forget := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if c.calls--; c.calls == 0 {
			delete(r.these, address)
		}
	}
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		forget()
		return nil, false
	}
	select {
	case r.places <- struct{}{}:
		return func() { <-r.places; <-c.places; forget() }, true
	case <-ctx.Done():
		<-c.places
		forget()
		return nil, false
	}
}
