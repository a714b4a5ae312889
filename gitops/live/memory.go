package live

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/syntax"
)

// labelAccepted marks the ConfigMaps that hold last accepted forms, and with the value
// replica what replicas say of themselves.
const labelAccepted = "meshc.dev/accepted"

// memoryStore is the store of these ConfigMaps among those of kinds.
const memoryStore = "memory"

// memory is what replicas agree by: of every object that is refused the form that was
// accepted last, as a ConfigMap in the control plane's namespace. The leader writes it.
type memory struct {
	client    *client
	namespace string
}

// remembered is what such a ConfigMap says.
type remembered struct {
	name syntax.Name
	uid  string
	form []byte
}

func (m *memory) path(name string) []string {
	out := []string{"/api", "v1", "namespaces", m.namespace, "configmaps"}
	if name != "" {
		out = append(out, name)
	}
	return out
}

func memoryName(n syntax.Name) string {
	sum := sha256.Sum256([]byte(pathOf(n)))
	return "meshc-accepted-" + hex.EncodeToString(sum[:8])
}

// read is what a ConfigMap says; false if it is none of these.
func read(u *unstructured.Unstructured) (remembered, bool) {
	get := func(field string) string {
		s, _, _ := unstructured.NestedString(u.Object, "data", field)
		return s
	}
	r := remembered{syntax.Name{Kind: get("kind"), Namespace: get("namespace"), Name: get("name")}, get("uid"), []byte(get("form"))}
	return r, isPolicy(r.name) && r.name.Kind != glassKind && u.GetName() == memoryName(r.name) && json.Valid(r.form)
}

// keep writes down the last accepted form of an object, or forgets it where form is nil.
func (m *memory) keep(ctx context.Context, name syntax.Name, uid string, form []byte) error {
	if form == nil {
		_, err := m.client.do(ctx, verbs.del, m.path(memoryName(name)), "", nil)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	object := map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": memoryName(name), "namespace": m.namespace, "labels": map[string]any{labelAccepted: "true", "app.kubernetes.io/part-of": "meshc"}},
		"data":     map[string]any{"kind": name.Kind, "namespace": name.Namespace, "name": name.Name, "uid": uid, "form": string(form)},
	}
	_, err := m.client.do(ctx, verbs.post, m.path(""), asJSON, object)
	if apierrors.IsAlreadyExists(err) {
		_, err = m.client.do(ctx, verbs.patch, m.path(memoryName(name)), mergePatch, map[string]any{"data": object["data"]})
	}
	return err
}

// forms are the last accepted forms that the cluster remembers, of objects that are
// still the same ones.
func (l *Live) forms() []remembered {
	store, ok := l.stores[memoryStore]
	if !ok {
		return nil
	}
	var out []remembered
	for _, o := range store.GetStore().List() {
		if r, ok := read(o.(*unstructured.Unstructured)); ok {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b remembered) int { return strings.Compare(pathOf(a.name), pathOf(b.name)) })
	return out
}

// recall takes over what the cluster remembers of objects that are refused, so that all
// replicas serve the same. Before anything was compiled that may be any.
func (l *Live) recall(d dirty, first bool) []compiler.Change {
	var changes []compiler.Change
	for _, r := range l.forms() {
		u := d.objects[r.name]
		if u == nil {
			u = l.stored(r.name)
		}
		if u == nil || string(u.GetUID()) != r.uid {
			continue
		}
		o := l.policy.at(r.name)
		if first {
			o.accepted = r.form
		} else if l.policy.waiting[r.name] && !bytes.Equal(o.accepted, r.form) {
			o.accepted = r.form
			changes = append(changes, l.policy.force(r.name, o, r.form)...)
		}
	}
	return changes
}
