package follow

import (
	"errors"
	"time"

	"github.com/meshc/meshc/compiler/bundle"
)

// unkept is what is served and not yet written down for the next start, and why.
type unkept struct {
	bundle     *bundle.Bundle // nil: it is kept
	catalog    bool
	tried      time.Time // the catalog, the last time
	bundleErr  error
	catalogErr error
	shown      string
}

// keepBundle writes down what is served, and its epoch after it: an epoch
// without its bundle would leave nothing to start from.
func (f *Follower) keepBundle(b *bundle.Bundle) {
	f.served = servedOf(b)
	err := f.store.keepBundle(b)
	if err == nil {
		err = f.store.keepServed(f.served)
	}
	if f.unkept.bundleErr, f.unkept.bundle = err, nil; err != nil {
		f.unkept.bundle = b
	}
}

// catalogEvery bounds how often a catalog that keeps changing is written down.
const catalogEvery = 10 * time.Second

// keepCatalog writes the catalog down for the next start.
func (f *Follower) keepCatalog(now bool) {
	late := now || f.unkept.catalogErr != nil || time.Since(f.unkept.tried) >= catalogEvery
	if !f.unkept.catalog || !late {
		return
	}
	if _, old := f.degraded["catalog"]; old && f.provider == nil {
		return // it is the kept one
	}
	err := f.store.keepCatalog(f.snapshot)
	f.unkept.tried, f.unkept.catalog, f.unkept.catalogErr = time.Now(), err != nil, err
}

// keepAgain writes down what could not be written before: a disk that was full may
// have room by now, and a start from an older bundle would bring back grants that
// were withdrawn since.
func (f *Follower) keepAgain(s Server) {
	if b := f.unkept.bundle; b != nil {
		f.keepBundle(b)
	}
	f.keepCatalog(false)
	f.showState(s)
}

// showState shows what a start now could not begin with.
func (f *Follower) showState(s Server) {
	reason := ""
	if err := errors.Join(f.unkept.bundleErr, f.unkept.catalogErr); err != nil {
		reason = "what is served could not be kept for the next start, which would serve an older one: " + err.Error()
	}
	if (reason == "") == (f.unkept.shown == "") {
		return // a temporary file's name is another each time
	}
	f.unkept.shown = reason
	if reason == "" {
		f.opts.Log.Info("what is served is kept for the next start again")
	} else {
		f.opts.Log.Error("what is served could not be kept for the next start", "error", reason)
	}
	s.Degrade("state", reason, nil)
}
