package follow

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
)

// Source is where bundles come from when it is no folder, such as a registry.
type Source interface {
	// Fetch gives the bundle that is there now, the same pointer while it is the
	// same bundle; or findings that say what is wrong with it; or an error when
	// it cannot be read. With a bundle these say why it is not the newest: it is what
	// is left of the last good one.
	Fetch(ctx context.Context) (*bundle.Bundle, diag.List, error)
}

// Notifier is a Source that can tell when to look: between its notices it is
// looked at as seldom as any other.
type Notifier interface {
	Changed() <-chan struct{}
}

// offer is what was found where bundles come from: a bundle, or why there is none; both
// of one that is not the newest.
type offer struct {
	bundle   *bundle.Bundle
	findings diag.List
	err      error
}

func (o offer) same(other offer) bool {
	return o.bundle == other.bundle && fmt.Sprint(o.findings, o.err) == fmt.Sprint(other.findings, other.err)
}

// fetchTimeout bounds one look at a source.
const fetchTimeout = time.Minute

// look opens what is there now.
func (f *Follower) look(ctx context.Context) offer {
	if f.opts.Source == nil {
		b, findings, err := bundle.Open(f.opts.Bundle)
		return offer{b, findings, err}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	b, findings, err := f.opts.Source.Fetch(ctx)
	return offer{b, findings, err}
}

// offers looks at a source again and again, until ctx ends. It is a goroutine of
// its own: a registry that does not answer must hold up no endpoint.
func (f *Follower) offers(ctx context.Context) <-chan offer {
	if f.opts.Source == nil {
		return nil
	}
	out := make(chan offer)
	var changed <-chan struct{}
	if n, ok := f.opts.Source.(Notifier); ok {
		changed = n.Changed()
	}
	go func() {
		tick := time.NewTicker(f.opts.Fetch)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			case <-changed:
				if f.opts.Settle > 0 {
					wait(ctx, f.opts.Settle, changed)
				}
			}
			o := f.look(ctx)
			select {
			case <-ctx.Done():
				return
			case out <- o:
			}
		}
	}()
	return out
}

// again looks at the bundle's folder, and at the trusted keys, if anything in
// them changed.
func (f *Follower) again(ctx context.Context, s Server) {
	seen := f.fingerprint()
	if seen == f.seen {
		return
	}
	f.seen = seen
	if f.opts.Source == nil {
		f.offer = f.look(ctx)
	}
	f.take(s)
}

// offered takes what a source gave, unless it gave the same before.
func (f *Follower) offered(s Server, o offer) {
	if o.same(f.offer) {
		return
	}
	f.offer = o
	f.take(s)
}

// take serves what is offered, if it can be served.
func (f *Follower) take(s Server) {
	o := f.admit(f.offer)
	if o.bundle == nil {
		reason := whyNot("bundle", f.opts.Bundle, o.findings, o.err) + ": what was served stays served"
		if f.degraded["bundle"].reason != reason {
			f.degrade("bundle", reason, o.findings)
			f.show(s)
		}
		return
	}
	f.heldBack(o)
	if o.bundle.Manifest.BundleDigest == f.bundle.Manifest.BundleDigest {
		f.keepBundle(o.bundle) // its signatures may be others
		f.show(s)
		return
	}
	f.bundle = o.bundle
	f.Supply(s)
}

// heldBack notes why what is offered is not the newest, and takes back what was noted of
// one that is.
func (f *Follower) heldBack(o offer) {
	reason := whyNot("bundle", f.opts.Bundle, o.findings, o.err)
	if reason != "" {
		reason += ": what is left of the last good one is served"
	}
	if reason == "" || f.degraded["bundle"].reason != reason {
		f.degrade("bundle", reason, o.findings)
	}
}

// fingerprint changes when a file of the bundle's folder or of the trusted keys
// does, or a folder itself.
func (f *Follower) fingerprint() string {
	var out string
	if f.opts.Source == nil {
		out = fingerprint(f.opts.Bundle) + fingerprint(f.opts.Bundle+"/"+bundle.SignaturesDir)
	}
	if f.opts.Trust != "" {
		out += fingerprint(f.opts.Trust)
	}
	return out
}

// fingerprint changes when a file does, or one in the folder of that name. Links
// are followed: a mounted secret changes by a link to a folder beside.
func fingerprint(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	if !info.IsDir() {
		return stamp(path, info)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err.Error()
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	var b strings.Builder
	for _, e := range entries {
		if info, err := os.Stat(path + "/" + e.Name()); err == nil {
			b.WriteString(stamp(e.Name(), info))
		}
	}
	return b.String()
}

func stamp(name string, info os.FileInfo) string {
	return fmt.Sprintf("%s %d %d %d\n", name, info.Size(), info.ModTime().UnixNano(), inode(info))
}
