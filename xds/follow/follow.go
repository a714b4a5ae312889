// Package follow keeps a server supplied: it watches a bundle's folder and a
// catalog's file, hands over what can be taken, and keeps the last good of both
// in the state folder for a start without them. What cannot be taken changes
// nothing that is served. It knows neither streams nor what bundles mean.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// Options say what to follow. Bundle, Catalog and State are required.
type Options struct {
	Bundle  string // folder; or the name of Source
	Catalog string // file, or the name of what Open opens
	State   string // folder; the last good ones are kept below it
	Log     *slog.Logger
	// Coalesce is how long changes of the catalog are gathered; 20 ms if zero.
	Coalesce time.Duration
	// Poll is how often is looked at what no notice came for; 2 s if zero.
	Poll time.Duration

	// Source is where bundles come from; nil: the folder Bundle.
	Source Source
	// Open opens the catalog that Catalog names, for the bundle that is served; nil:
	// the file Catalog. After an error it is called again every Poll, and must not
	// wait long then.
	Open func(*bundle.Bundle) (Catalog, error)
	// Fetch is how often Source is looked at; 30 s if zero.
	Fetch time.Duration
	// Settle is how long a Source that tells of changes must be quiet; 50 ms if zero,
	// none if negative: it gathers changes itself.
	Settle time.Duration
	// Judged: Source has judged who signed a bundle and whether it is older than the
	// last; what it gives is taken.
	Judged bool
	// Trust is a file or a folder of public keys, one of which must have signed
	// every bundle; empty: signatures are not looked at.
	Trust string
	// Mesh is the name of the mesh that this server serves; empty: that of the first
	// bundle it served. Env is its environment, which may be none; nil: as for Mesh.
	Mesh string
	Env  *string
	// Rollback is the policy digest, or the bundle digest, of a bundle that is
	// taken although it is older than what is served.
	Rollback string
	// AllowWiden lets Rollback open access that what is served closed. Widened
	// lists such access; nil: any older bundle counts as opening some.
	AllowWiden bool
	Widened    func(was, is *ir.Mesh) []string
}

// Catalog is a provider that can be closed. Its Snapshot is never nil.
type Catalog interface {
	catalog.Provider
	Close() error
}

// Server takes what is followed; *server.Server is one.
type Server interface {
	Set(*bundle.Bundle, *catalog.Snapshot) diag.List
	Degrade(what, reason string, findings diag.List)
}

// Follower is what is served now, and where it comes from.
type Follower struct {
	opts   Options
	store  *store
	bundle *bundle.Bundle
	served served // outlives the process
	offer  offer  // what was judged last
	seen   string // fingerprint of the bundle's folder and the keys at that time

	provider Catalog
	snapshot *catalog.Snapshot
	degraded map[string]degraded
	unkept   unkept
}

type degraded struct {
	reason   string
	findings diag.List
}

// Start loads the given bundle and catalog, or the last good ones in their
// stead. The findings say why something given was not taken; the error is why
// nothing can be served at all.
func Start(ctx context.Context, opts Options) (*Follower, diag.List, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Coalesce == 0 {
		opts.Coalesce = 20 * time.Millisecond
	}
	if opts.Poll == 0 {
		opts.Poll = 2 * time.Second
	}
	if opts.Fetch == 0 {
		opts.Fetch = 30 * time.Second
	}
	if opts.Settle == 0 {
		opts.Settle = settle
	}
	store, err := openStore(opts.State)
	if err != nil {
		return nil, nil, err
	}
	f := &Follower{opts: opts, store: store, degraded: map[string]degraded{}}
	var findings diag.List
	if err := f.startBundle(ctx, &findings); err != nil {
		return nil, findings, err
	}
	if err := f.startCatalog(&findings); err != nil {
		return nil, findings, err
	}
	return f, findings, nil
}

// Bundle is what is served.
func (f *Follower) Bundle() *bundle.Bundle { return f.bundle }

func (f *Follower) startBundle(ctx context.Context, findings *diag.List) error {
	var err error
	if f.served, err = f.store.served(); err != nil {
		return err
	}
	f.seen = f.fingerprint()
	f.offer = f.look(ctx)
	o := f.admit(f.offer)
	if o.bundle != nil {
		f.bundle = o.bundle
		f.heldBack(o)
		return nil
	}
	findings.Add(o.findings...)
	reason := whyNot("bundle", f.opts.Bundle, o.findings, o.err)
	last, lastErr := f.lastGood()
	if lastErr != nil {
		return errors.Join(errors.New(reason), lastErr)
	}
	f.bundle = last
	f.degrade("bundle", reason+": the last good one is served", o.findings)
	return nil
}

// lastGood is the bundle that is kept. Keys are looked at again: who is trusted
// no longer is not trusted for having been.
func (f *Follower) lastGood() (*bundle.Bundle, error) {
	last, err := f.store.bundle()
	if err != nil {
		return nil, err
	}
	refused, err := f.trusted(last)
	if other := f.foreign(last); other != nil {
		refused.Add(*other)
	}
	if len(refused) > 0 {
		err = fmt.Errorf("the bundle that is kept is refused as well: %s [%s]", refused[0].Message, refused[0].Code)
	}
	return last, err
}

func (f *Follower) startCatalog(findings *diag.List) error {
	p, err := f.openCatalog()
	if err == nil {
		f.provider, f.snapshot = p, p.Snapshot()
		return nil
	}
	refused := invalid(err)
	findings.Add(refused...)
	reason := whyNot("catalog", f.opts.Catalog, refused, err)
	last, lastErr := f.store.catalog()
	if lastErr != nil {
		return errors.Join(errors.New(reason), lastErr)
	}
	f.snapshot = last
	f.degrade("catalog", reason+": the last good one is served", refused)
	return nil
}

func whyNot(what, path string, refused diag.List, err error) string {
	switch {
	case len(refused) > 0:
		return fmt.Sprintf("%s %q is refused: %s [%s]", what, path, refused[0].Message, refused[0].Code)
	case err != nil:
		return fmt.Sprintf("%s %q cannot be read: %v", what, path, err)
	}
	return ""
}

func invalid(err error) diag.List {
	var i *file.Invalid
	if errors.As(err, &i) {
		return i.Findings
	}
	return nil
}

func (f *Follower) degrade(what, reason string, findings diag.List) {
	if reason == "" {
		if _, was := f.degraded[what]; was {
			f.opts.Log.Info("what is served is the newest again", "what", what)
		}
		delete(f.degraded, what)
		return
	}
	f.opts.Log.Error("what is served is not the newest", "what", what, "reason", reason)
	f.degraded[what] = degraded{reason, findings}
}

// Run hands the server every change after Supply, until ctx ends.
func (f *Follower) Run(ctx context.Context, s Server) {
	watch := newWatch(f.opts.Bundle, f.opts.Log)
	defer watch.close()
	defer func() {
		if f.provider != nil {
			_ = f.provider.Close() // it never fails
		}
		f.keepCatalog(true)
	}()
	offers := f.offers(ctx)
	poll := time.NewTicker(f.opts.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-watch.events():
			wait(ctx, settle, watch.events())
			f.again(ctx, s)
		case o := <-offers:
			f.offered(s, o)
		case <-f.catalogChanged():
			wait(ctx, f.opts.Coalesce, f.catalogChanged())
			f.catalogAgain(s)
		case <-poll.C:
			watch.refresh()
			f.again(ctx, s)
			f.catalogAgain(s)
			f.keepAgain(s)
		}
	}
}

// settle is how long a bundle's folder must be quiet: a plain copy takes a while.
const settle = 50 * time.Millisecond

// wait lets notices gather until none came for a while, or ten times as long.
func wait[T any](ctx context.Context, quiet time.Duration, more <-chan T) {
	end := time.After(10 * quiet)
	for {
		select {
		case <-more:
			continue
		case <-time.After(quiet):
		case <-end:
		case <-ctx.Done():
		}
		return
	}
}

// Supply hands the server what was loaded.
func (f *Follower) Supply(s Server) {
	drift := s.Set(f.bundle, f.snapshot)
	m := f.bundle.Manifest
	f.opts.Log.Info("serving", "mesh", m.Mesh, "policyDigest", m.PolicyDigest, "revision", m.Revision, "epoch", m.Epoch,
		"services", len(f.snapshot.Services), "workloads", len(f.snapshot.Workloads), "drift", len(drift))
	for _, d := range drift {
		f.opts.Log.Debug("drift", "code", d.Code, "finding", d.Message)
	}
	f.show(s)
	if f.bundle == f.offer.bundle { // else it is what was kept, or was kept when it was taken
		f.keepBundle(f.bundle)
	}
	f.unkept.catalog = true
	f.keepCatalog(false)
	f.showState(s)
}

func (f *Follower) show(s Server) {
	for _, what := range []string{"bundle", "catalog"} {
		d := f.degraded[what]
		s.Degrade(what, d.reason, d.findings)
	}
}
