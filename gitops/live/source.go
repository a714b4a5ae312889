package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
)

// Reference is where Mesh.spec.bundle has a mesh's policy instead of the cluster's
// objects: one of the two is set.
type Reference struct{ Path, OCI string }

func (r Reference) String() string {
	if r.OCI != "" {
		return "oci://" + r.OCI
	}
	return r.Path
}

// Opener opens a bundle and judges who signed it. What is wrong with it are findings.
type Opener func(context.Context, Reference) (*bundle.Bundle, diag.List, error)

// pulled is the bundle of Mesh.spec.bundle.
type pulled struct {
	from   Reference
	bundle *bundle.Bundle // the last that was taken; nil: none yet
	failed diag.List
	err    error
	// requestedAt is who asked the Mesh's controller to look, when it last did.
	requestedAt string
}

// pullEvery is how often a registry is asked, pullTimeout how long it may take.
const (
	pullEvery   = 30 * time.Second
	pullTimeout = time.Minute
)

// reference is what the Mesh has for a source; false if it is the cluster's objects.
func reference(mesh *unstructured.Unstructured) (Reference, bool) {
	if mesh == nil {
		return Reference{}, false
	}
	var r Reference
	r.Path, _, _ = unstructured.NestedString(mesh.Object, "spec", "bundle", "path")
	r.OCI, _, _ = unstructured.NestedString(mesh.Object, "spec", "bundle", "oci")
	return r, r != Reference{}
}

// pull fetches the bundle that the Mesh names, whenever it names another and again and
// again, until ctx ends. It is a goroutine of its own: a registry that does not answer
// holds up nothing.
func (l *Live) pull(ctx context.Context) {
	tick := time.NewTicker(pullEvery)
	defer tick.Stop()
	held := false // the Mesh was suspended when it was looked at
	for again := true; ; {
		if again {
			l.pullOnce(ctx)
		}
		held, again = suspended(l.mesh()), true
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.repull:
			again = l.pullDue() || held && !suspended(l.mesh())
		}
	}
}

// pullDue tells whether a Mesh that changed names another bundle, or asks that it be
// looked at now.
func (l *Live) pullDue() bool {
	mesh := l.mesh()
	from, wanted := reference(mesh)
	l.mu.Lock()
	is := l.pulled
	l.mu.Unlock()
	l.show() // it may be suspended now
	switch {
	case is == nil || !wanted:
		return wanted || is != nil
	case is.from != from:
		return true
	}
	return is.requestedAt != mesh.GetAnnotations()[requestedAt]
}

// pullOnce fetches what the Mesh names now, if it names anything. While the Mesh is
// suspended nothing is looked at, but where there is nothing to serve.
func (l *Live) pullOnce(ctx context.Context) {
	mesh := l.mesh()
	from, wanted := reference(mesh)
	l.mu.Lock()
	first := l.shown.bundle == nil
	l.mu.Unlock()
	if suspended(mesh) && !first {
		return
	}
	var next *pulled
	if wanted {
		next = l.fetch(ctx, from)
		next.requestedAt = mesh.GetAnnotations()[requestedAt]
	}
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	l.pulled = next
	l.mu.Unlock()
	l.show()
	l.tell()
}

// fetch takes the bundle that is there, unless it is older than the one that was taken.
func (l *Live) fetch(ctx context.Context, from Reference) *pulled {
	l.mu.Lock()
	before := l.pulled
	l.mu.Unlock()
	next := &pulled{from: from}
	var epoch int64
	if before != nil {
		next.bundle = before.bundle // what was served stays until there is another
	}
	if m := l.mesh(); m != nil {
		if is, _, _ := unstructured.NestedString(m.Object, "status", "observedBundle"); is == from.String() {
			epoch, _, _ = unstructured.NestedInt64(m.Object, "status", "bundleEpoch")
		}
	}
	if before != nil && before.from == from && before.bundle != nil {
		epoch = max(epoch, before.bundle.Manifest.Epoch)
	}
	if l.opts.Open == nil {
		next.err = errors.New("this control plane takes no bundles")
		return next
	}
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	b, found, err := l.opts.Open(ctx, from)
	switch {
	case err != nil:
		next.err = fmt.Errorf("%s: %w", from, err)
	case b == nil || len(found) > 0:
		next.failed = found
	case b.Manifest.Mesh != l.opts.Mesh:
		next.err = fmt.Errorf("%s is of the mesh %q, and this is %q", from, b.Manifest.Mesh, l.opts.Mesh)
	case b.Mesh.Settings.TrustDomain != l.rules.TrustDomain:
		next.err = fmt.Errorf("%s is of the trust domain %q, and this mesh is of %q: build it with `trustDomain: %s`", from, b.Mesh.Settings.TrustDomain, l.rules.TrustDomain, l.rules.TrustDomain)
	case b.Manifest.Epoch < epoch:
		next.err = fmt.Errorf("%s has epoch %d, and epoch %d was served: build it again from the newest commit", from, b.Manifest.Epoch, epoch)
	default:
		next.bundle = b
	}
	return next
}

// suspended tells whether the Mesh asks that nothing be looked at.
func suspended(mesh *unstructured.Unstructured) bool {
	if mesh == nil {
		return false
	}
	yes, _, _ := unstructured.NestedBool(mesh.Object, "spec", "suspend")
	return yes
}

// show makes what Fetch gives: the bundle that the Mesh names, else that of the
// cluster's objects. What was shown stays while there is no other.
func (l *Live) show() {
	mesh := l.mesh()
	from, fromBundle := reference(mesh)
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.compiled
	if fromBundle {
		v = view{fromBundle: true, source: from.String()}
		if p := l.pulled; p != nil && p.from == from {
			v.bundle, v.failed, v.err, v.requestedAt = p.bundle, p.failed, p.err, p.requestedAt
		} else {
			v.err = fmt.Errorf("%s was not fetched yet", from)
		}
	}
	if v.bundle == nil {
		v.bundle = l.shown.bundle
	}
	if v.suspended = suspended(mesh); v.suspended && l.shown.bundle != nil {
		v.bundle = l.shown.bundle
	}
	if l.shown.fromBundle != v.fromBundle { // all objects come into force, or go out of it
		for name := range l.told.all {
			l.told.changed[name] = true
		}
	}
	l.shown = l.giveBack(v)
}

// Suspended tells whether what is in force is held as it is.
func (l *Live) Suspended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown.suspended
}
