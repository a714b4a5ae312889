package upkeep

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	failure "k8s.io/apimachinery/pkg/api/errors"

	"github.com/meshc/meshc/admission/inject"
)

// trustKey is where in a trust bundle the roots are, see inject.Trust.
const trustKey = "ca.crt"

// TrustOptions are of OpenTrust; both functions are required.
type TrustOptions struct {
	Roots func() []byte // of the mesh's authority, in PEM
	Mesh  func() string // the mesh's name
}

// Trust keeps the ConfigMap by which proxies trust the control plane in every namespace
// of the mesh, and takes it away where a namespace has left.
type Trust struct {
	keeper     *Keeper
	opts       TrustOptions
	namespaces *Namespaces
	store      *store
	loop       *loop
	of         []byte            // the roots that want is of
	want       map[string]string // what a bundle holds

	mu      sync.Mutex
	waiting map[string][]chan struct{}
	refused map[string]error // why a namespace has none
}

// rootsLook is how often the roots are looked at: nobody tells of a rotation.
const rootsLook = time.Second

// OpenTrust keeps trust bundles while the keeper runs.
func (k *Keeper) OpenTrust(namespaces *Namespaces, opts TrustOptions) (*Trust, error) {
	t := &Trust{keeper: k, opts: opts, namespaces: namespaces, waiting: map[string][]chan struct{}{}, refused: map[string]error{}}
	t.loop = k.loop("trust", t.work)
	var err error
	t.store, err = k.watch(configMaps, "", inject.TrustBundle, nil, func(o *unstructured.Unstructured) {
		t.arrived(o.GetNamespace())
		t.loop.nudge()
	})
	namespaces.onChange(func(string) { t.loop.nudge() })
	return t, err
}

// Await waits until a namespace has its trust bundle: a moment, as long as the
// controller may write there. It writes nothing itself.
func (t *Trust) Await(ctx context.Context, namespace string) error {
	switch have := t.store.one(namespace, inject.TrustBundle); {
	case have == nil:
	case !ours(have):
		return errOthers
	default:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	came := make(chan struct{})
	t.mu.Lock()
	t.waiting[namespace] = append(t.waiting[namespace], came)
	t.mu.Unlock()
	defer t.leave(namespace, came)
	t.loop.nudge()
	select {
	case <-came:
	case <-ctx.Done():
	}
	if have := t.store.one(namespace, inject.TrustBundle); have != nil && ours(have) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refused[namespace]; err != nil {
		return err
	}
	return errors.New("the controller is about to make it: try again")
}

func (t *Trust) arrived(namespace string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, came := range t.waiting[namespace] {
		close(came)
	}
	delete(t.waiting, namespace)
}

func (t *Trust) leave(namespace string, came chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting[namespace] = slices.DeleteFunc(t.waiting[namespace], func(c chan struct{}) bool { return c == came })
	if len(t.waiting[namespace]) == 0 {
		delete(t.waiting, namespace)
	}
}

// work makes what is missing; the leader also changes what is not as it must be and
// removes what nobody needs, so that replicas which have not heard of a new root yet
// do not take it out again.
func (t *Trust) work(ctx context.Context) (time.Duration, error) {
	if !t.store.HasSynced() || !t.namespaces.store.HasSynced() {
		return firstRetry, nil
	}
	if roots := t.opts.Roots(); t.want == nil || !bytes.Equal(roots, t.of) {
		want, err := inject.Trust(roots)
		if err != nil {
			return 0, err
		}
		t.of, t.want = roots, want
	}
	want := t.want
	leading, mesh := t.keeper.opts.Leading(), t.opts.Mesh()
	members := map[string]bool{}
	refused := map[string]error{}
	for _, ns := range t.namespaces.all() {
		if !ns.Member(mesh) {
			continue
		}
		members[ns.Name] = true
		if err := t.keep(ctx, ns.Name, want, leading); err != nil && !errors.Is(err, errConflict) {
			refused[ns.Name] = err
		}
	}
	if leading {
		for _, o := range t.store.GetStore().List() {
			have := o.(*unstructured.Unstructured)
			if ns := have.GetNamespace(); !members[ns] && have.GetLabels()[partOf] == "meshc" && !t.used(ns, mesh) {
				if err := t.remove(ctx, have); err != nil {
					refused[ns] = err
				}
			}
		}
	}
	t.mu.Lock()
	t.refused = refused
	t.mu.Unlock()
	for _, ns := range slices.Sorted(maps.Keys(refused)) {
		return 0, fmt.Errorf("%s of namespace %s: %w", inject.TrustBundle, ns, refused[ns])
	}
	return rootsLook, nil
}

// used tells whether a namespace, as the watch does not know it yet, may be a member.
func (t *Trust) used(namespace, mesh string) bool {
	o := t.namespaces.store.one("", namespace)
	return o == nil || o.GetDeletionTimestamp() != nil || namespaceOf(o).Member(mesh)
}

func (t *Trust) keep(ctx context.Context, namespace string, want map[string]string, leading bool) error {
	have := t.store.one(namespace, inject.TrustBundle)
	if have == nil {
		data := map[string]any{}
		for key, text := range want {
			data[key] = text
		}
		_, err := t.keeper.create(ctx, configMaps, namespace, inject.TrustBundle, map[string]any{"data": data})
		if failure.IsNotFound(err) || failure.HasStatusCause(err, "NamespaceTerminating") {
			return nil // the namespace is on its way out
		}
		return err
	}
	if !ours(have) {
		return errOthers
	}
	data, _, err := unstructured.NestedStringMap(have.Object, "data")
	if err != nil {
		data = nil
	}
	if maps.Equal(data, want) || !leading && sound(data, want) {
		return nil
	}
	change := map[string]any{}
	for key := range data {
		change[key] = nil
	}
	for key, text := range want {
		change[key] = text
	}
	_, err = t.keeper.merge(ctx, configMaps, have, map[string]any{"data": change, "binaryData": nil})
	return err
}

// Labels by which a ConfigMap is ours: those of the controller, and of `meshc inject`.
const (
	partOf    = "app.kubernetes.io/part-of"
	managedBy = "app.kubernetes.io/managed-by"
)

var errOthers = fmt.Errorf("somebody else has a ConfigMap of the name %s there (without the label %s: meshc), which is left as it is: rename that one, or delete it", inject.TrustBundle, partOf)

// ours tells whether a trust bundle is one that meshc made: what others call so is theirs.
func ours(o *unstructured.Unstructured) bool {
	return o.GetLabels()[partOf] == "meshc" || o.GetLabels()[managedBy] == "meshc"
}

// sound tells whether proxies can live on what a bundle holds until the leader comes:
// it has a root of ours, and else what it must.
func sound(data, want map[string]string) bool {
	for key, text := range want {
		if key != trustKey && data[key] != text {
			return false
		}
	}
	have := []byte(data[trustKey])
	for block, rest := pem.Decode([]byte(want[trustKey])); block != nil; block, rest = pem.Decode(rest) {
		if bytes.Contains(have, pem.EncodeToMemory(block)) {
			return true
		}
	}
	return false
}

func (t *Trust) remove(ctx context.Context, o *unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	uid, version := o.GetUID(), o.GetResourceVersion()
	err := t.keeper.of(configMaps, o.GetNamespace()).Delete(ctx, o.GetName(), meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: (*types.UID)(&uid), ResourceVersion: &version}})
	if failure.IsNotFound(err) || failure.IsConflict(err) {
		return nil
	}
	return err
}

// trusted are the roots in the trust bundles of namespaces that are of a mesh. In others
// anybody may have made a ConfigMap of that name, and must not hold up a mesh by it.
func (s *shared) trusted(ctx context.Context) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	named := meta.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", inject.TrustBundle).String()}
	found, err := s.keeper.of(configMaps, "").List(ctx, named)
	if err != nil || len(found.Items) == 0 {
		return nil, err
	}
	list, err := s.keeper.of(namespaces, "").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	members := map[string]bool{}
	for _, o := range list.Items {
		members[o.GetName()] = namespaceOf(&o).Member("")
	}
	var out [][]byte
	for _, o := range found.Items {
		if !ours(&o) {
			continue
		}
		data, _, _ := unstructured.NestedStringMap(o.Object, "data") // what is none has no roots
		if roots := data[trustKey]; roots != "" && members[o.GetNamespace()] {
			out = append(out, []byte(roots))
		}
	}
	return out, nil
}
