package webhook

import (
	"net/http"
	"time"
)

// The server is open to whoever reaches it, so what it reads at a time is bounded: a call
// takes a place by the length of its body before any of that is read. In all these bodies
// are 32 MiB of short calls, 32 MiB of long reviews and two long conversions.
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
type places struct{ short, review, long chan struct{} }

func newPlaces() *places {
	return &places{make(chan struct{}, shortAtOnce), make(chan struct{}, reviewsAtOnce), make(chan struct{}, longAtOnce)}
}

// of is the row in which a call waits whose body may have most bytes.
func (p *places) of(length, most int64) chan struct{} {
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
		row, wait := p.of(r.ContentLength, most), time.NewTimer(placeWait)
		defer wait.Stop()
		select {
		case row <- struct{}{}:
			defer func() { <-row }()
		case <-r.Context().Done():
			return
		case <-wait.C:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many calls are under way", http.StatusServiceUnavailable)
			return
		}
		if row != p.long { // a recorder in a test has no deadlines
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		}
		h.ServeHTTP(w, r)
	})
}
