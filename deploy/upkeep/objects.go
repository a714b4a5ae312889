package upkeep

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	failure "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// resource is a kind of object as the API names it.
type resource struct {
	schema.GroupVersionResource
	kind string
}

var (
	secrets     = resource{schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, "Secret"}
	configMaps  = resource{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "ConfigMap"}
	namespaces  = resource{schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "Namespace"}
	validating  = resource{schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}, "ValidatingWebhookConfiguration"}
	mutating    = resource{schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}, "MutatingWebhookConfiguration"}
	definitions = resource{schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}, "CustomResourceDefinition"}
)

// errConflict: somebody else changed or made the object meanwhile.
var errConflict = errors.New("somebody else was faster")

// askTimeout bounds one question to the API server.
const askTimeout = 5 * time.Second

func (k *Keeper) of(r resource, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return k.client.Resource(r.GroupVersionResource)
	}
	return k.client.Resource(r.GroupVersionResource).Namespace(namespace)
}

// get is an object, nil if there is none.
func (k *Keeper) get(ctx context.Context, r resource, namespace, name string) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	o, err := k.of(r, namespace).Get(ctx, name, meta.GetOptions{})
	if failure.IsNotFound(err) {
		return nil, nil
	}
	return o, err
}

// create makes an object; errConflict where it is there already.
func (k *Keeper) create(ctx context.Context, r resource, namespace, name string, content map[string]any) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	o := &unstructured.Unstructured{Object: content}
	o.SetAPIVersion(r.GroupVersion().String())
	o.SetKind(r.kind)
	o.SetName(name)
	o.SetNamespace(namespace)
	o.SetLabels(map[string]string{partOf: "meshc", managedBy: "meshc-controller"})
	made, err := k.of(r, namespace).Create(ctx, o, meta.CreateOptions{FieldManager: "meshc"})
	if failure.IsAlreadyExists(err) {
		return nil, errConflict
	}
	return made, err
}

// merge patches an object that is still as it was read; errConflict where it is not.
func (k *Keeper) merge(ctx context.Context, r resource, was *unstructured.Unstructured, change map[string]any) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	change["metadata"] = map[string]any{"resourceVersion": was.GetResourceVersion(), "uid": string(was.GetUID())}
	text, err := json.Marshal(change)
	if err != nil {
		return nil, err
	}
	made, err := k.of(r, was.GetNamespace()).Patch(ctx, was.GetName(), types.MergePatchType, text, meta.PatchOptions{FieldManager: "meshc"})
	if failure.IsConflict(err) || failure.IsNotFound(err) {
		return nil, errConflict
	}
	return made, err
}

// store is what a watch knows.
type store struct {
	cache.SharedIndexInformer
}

// watch follows the objects of a name, or all of a kind where it is empty, and calls
// changed, which must not wait, whenever one did. It runs with the keeper.
func (k *Keeper) watch(r resource, namespace, name string, transform cache.TransformFunc, changed func(*unstructured.Unstructured)) (*store, error) {
	of := k.of(r, namespace)
	narrow := func(o *meta.ListOptions) {
		if name != "" {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
		}
	}
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o meta.ListOptions) (runtime.Object, error) {
			narrow(&o)
			return of.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o meta.ListOptions) (watch.Interface, error) {
			narrow(&o)
			return of.Watch(ctx, o)
		},
	}
	informer := cache.NewSharedIndexInformer(lw, &unstructured.Unstructured{}, 0, cache.Indexers{})
	if transform != nil {
		if err := informer.SetTransform(transform); err != nil {
			return nil, err
		}
	}
	tell := func(o any) {
		if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = gone.Obj
		}
		if u, ok := o.(*unstructured.Unstructured); ok {
			changed(u)
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: tell, UpdateFunc: func(_, now any) { tell(now) }, DeleteFunc: tell}); err != nil {
		return nil, err
	}
	k.task(informer.RunWithContext)
	return &store{informer}, nil
}

// one is an object that the watch knows, nil if there is none.
func (s *store) one(namespace, name string) *unstructured.Unstructured {
	key := name
	if namespace != "" {
		key = namespace + "/" + name
	}
	o, ok, _ := s.GetStore().GetByKey(key) // stores in memory do not fail
	if !ok {
		return nil
	}
	return o.(*unstructured.Unstructured)
}

// newer tells whether an object is of a later version than one that was seen: a watch
// may be late.
func newer(o *unstructured.Unstructured, seen string) bool {
	a, errA := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	b, errB := strconv.ParseUint(seen, 10, 64)
	return errA != nil || errB != nil || a > b
}

// secretData is what a Secret holds, decoded.
func secretData(o *unstructured.Unstructured) (map[string][]byte, error) {
	raw, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for name, text := range raw {
		if out[name], err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return out, nil
}

// encoded is data as a Secret holds it. Names in drop are taken away by a merge.
func encoded(data map[string][]byte, was map[string][]byte) map[string]any {
	out := map[string]any{}
	for name := range was {
		out[name] = nil
	}
	for name, bytes := range data {
		out[name] = base64.StdEncoding.EncodeToString(bytes)
	}
	return out
}
