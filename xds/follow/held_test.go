package follow_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/xds/follow"
)

// given is what a source has now.
type given struct {
	bundle *bundle.Bundle
	err    error
}

// sourceOf gives what it was told last.
type sourceOf struct{ atomic.Pointer[given] }

func (s *sourceOf) Fetch(context.Context) (*bundle.Bundle, diag.List, error) {
	g := s.Load()
	return g.bundle, nil, g.err
}

// A source that holds a bundle, since it cannot have the newest, and takes something out
// of it, has that served: status says all the while that it is not the newest, and a start
// without the source does not bring back what was taken out.
func TestWhatIsLeftOfAHeldBundleIsServedAndNotCalledTheNewest(t *testing.T) {
	o, from := place(t), &sourceOf{}
	o.Source, o.Fetch = from, 10*time.Millisecond
	write(t, o.Catalog, catalogOf("a-0"))
	whole, left := mesh(t, "whole", "cluster.local"), mesh(t, "left", "cluster.local")
	away := errors.New("nobody answers")
	from.Store(&given{bundle: whole})
	r, _, stop := start(t, o)
	r.serves(t, "whole", "shop/a-0")
	from.Store(&given{bundle: left, err: away})
	r.serves(t, "left", "shop/a-0")
	degraded := func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], "nobody answers") }
	r.until(t, "word that it is not the newest", degraded)
	stop()

	r, _, stop = start(t, o)
	r.serves(t, "left", "shop/a-0")
	r.until(t, "word of it after a start", degraded)
	stop()
	from.Store(&given{err: away})
	r, _, _ = start(t, o)
	r.serves(t, "left", "shop/a-0")
	from.Store(&given{bundle: whole})
	r.serves(t, "whole", "shop/a-0")
	r.until(t, "word that it is the newest", func(r *recorder) bool { return r.degraded["bundle"] == "" })
}

var _ follow.Source = (*sourceOf)(nil)
