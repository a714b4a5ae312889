package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/meshc/meshc/catalog"
)

// kind is what is watched of a cluster.
type kind struct {
	group     schema.GroupVersion
	resource  string
	namespace string // empty: all
	object    runtime.Object
	narrow    func(*meta.ListOptions)
}

var kinds = []kind{
	{core.SchemeGroupVersion, "namespaces", "", &core.Namespace{}, nil},
	{core.SchemeGroupVersion, "nodes", "", &core.Node{}, nil},
	{core.SchemeGroupVersion, "serviceaccounts", "", &core.ServiceAccount{}, nil},
	{core.SchemeGroupVersion, "services", "", &core.Service{}, nil},
	{core.SchemeGroupVersion, "pods", "", &core.Pod{}, func(o *meta.ListOptions) {
		o.FieldSelector = fields.AndSelectors(fields.OneTermNotEqualSelector("status.phase", string(core.PodSucceeded)),
			fields.OneTermNotEqualSelector("status.phase", string(core.PodFailed))).String()
	}},
	{discovery.SchemeGroupVersion, "endpointslices", "", &discovery.EndpointSlice{}, func(o *meta.ListOptions) {
		o.LabelSelector = discovery.LabelServiceName
	}},
}

// addressRanges are told by clusters since 1.33; of an older one they are not known.
var addressRanges = kind{networking.SchemeGroupVersion, "servicecidrs", "", &networking.ServiceCIDR{}, nil}

// cluster is one that is watched. Its stores keep what they have when a watch ends:
// only what the API server says is gone is gone.
type cluster struct {
	name    string
	changed func()
	touched func(namespace string)               // nil: nobody is told
	stores  map[string]cache.SharedIndexInformer // by resource
	stop    context.CancelFunc
	ended   sync.WaitGroup

	mu      sync.Mutex
	failing map[string]string // by resource
	dirty   map[string]bool   // namespaces
	all     bool              // every namespace is
	parts   map[string]*Part
	nodes   map[string]catalog.Locality
}

// watchCluster begins to watch. Changed is called without a lock whenever something
// did, and must not wait.
func watchCluster(ctx context.Context, name string, config *rest.Config, more []kind, changed func(), touched func(string)) (*cluster, error) {
	ctx, stop := context.WithCancel(ctx)
	c := &cluster{
		name: name, changed: changed, touched: touched, stores: map[string]cache.SharedIndexInformer{}, stop: stop,
		failing: map[string]string{}, dirty: map[string]bool{}, all: true, parts: map[string]*Part{},
	}
	clients := map[schema.GroupVersion]*rest.RESTClient{}
	for _, k := range append(append(slices.Clone(kinds), addressRanges), more...) {
		if clients[k.group] == nil {
			var err error
			if clients[k.group], err = client(config, k.group); err != nil {
				stop()
				return nil, err
			}
		}
		informer := cache.NewSharedIndexInformer(c.listWatch(clients[k.group], k), k.object, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		if err := informer.SetTransform(trim); err != nil {
			stop()
			return nil, err
		}
		if _, err := informer.AddEventHandler(c.events()); err != nil {
			stop()
			return nil, err
		}
		c.stores[k.resource] = informer
		c.ended.Go(func() { informer.RunWithContext(ctx) })
	}
	c.ended.Go(func() { c.tellWhenSynced(ctx) })
	return c, nil
}

// tellWhenSynced tells once that all is known: the last list to come may be empty, and
// of an empty one there is no event.
func (c *cluster) tellWhenSynced(ctx context.Context) {
	var all []cache.InformerSynced
	for _, s := range c.stores {
		all = append(all, s.HasSynced)
	}
	if !cache.WaitForCacheSync(ctx.Done(), all...) {
		return
	}
	c.changed()
	if c.touched != nil {
		c.touched("")
	}
}

// listWatch notes whether the API server answers.
func (c *cluster) listWatch(client *rest.RESTClient, k kind) cache.ListerWatcher {
	narrow := k.narrow
	if narrow == nil {
		narrow = func(*meta.ListOptions) {}
	}
	lw := cache.NewFilteredListWatchFromClient(client, k.resource, k.namespace, narrow)
	list, follow := lw.ListWithContextFunc, lw.WatchFuncWithContext
	optional := func(err error) bool { return k.resource == addressRanges.resource && errors.IsNotFound(err) }
	lw.ListWithContextFunc = func(ctx context.Context, o meta.ListOptions) (runtime.Object, error) {
		l, err := list(ctx, o)
		if optional(err) {
			return &networking.ServiceCIDRList{}, nil
		}
		c.note(k.resource, err)
		return l, err
	}
	lw.WatchFuncWithContext = func(ctx context.Context, o meta.ListOptions) (watch.Interface, error) {
		w, err := follow(ctx, o)
		if !errors.IsResourceExpired(err) && !optional(err) { // an old version is listed anew, as happens
			c.note(k.resource, err)
		}
		return w, err
	}
	return lw
}

func (c *cluster) note(resource string, err error) {
	c.mu.Lock()
	before := c.failing[resource]
	if delete(c.failing, resource); err != nil {
		c.failing[resource] = err.Error()
	}
	news := before != c.failing[resource]
	c.mu.Unlock()
	if news {
		c.changed()
	}
}

// fault says why the newest state is not known; nil when it is.
func (c *cluster) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	resources := slices.Sorted(maps.Keys(c.failing))
	if len(resources) == 0 {
		return nil
	}
	where := "the cluster"
	if c.name != "" {
		where = "cluster " + c.name
	}
	return fmt.Errorf("%s does not tell its %s: %s", where, strings.Join(resources, ", "), c.failing[resources[0]])
}

// synced tells whether all that there was at the beginning is known.
func (c *cluster) synced() bool {
	for _, s := range c.stores {
		if !s.HasSynced() {
			return false
		}
	}
	return true
}

func (c *cluster) close() {
	c.stop()
	c.ended.Wait()
}

// events mark the namespace of what changed.
func (c *cluster) events() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: c.touch,
		UpdateFunc: func(old, now any) {
			if a, ok := old.(*core.Node); ok { // its heartbeats say nothing
				if b, ok := now.(*core.Node); ok && maps.Equal(a.Labels, b.Labels) && slices.Equal(a.Spec.PodCIDRs, b.Spec.PodCIDRs) {
					return
				}
			}
			c.touch(now)
		},
		DeleteFunc: c.touch,
	}
}

func (c *cluster) touch(o any) {
	if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = gone.Obj
	}
	ns := ""
	switch o := o.(type) {
	case *core.Namespace:
		ns = o.Name
	case meta.Object:
		ns = o.GetNamespace()
	}
	c.mu.Lock()
	if ns == "" {
		c.all = true
	} else {
		c.dirty[ns] = true
	}
	c.mu.Unlock()
	c.changed()
	if _, slice := o.(*discovery.EndpointSlice); c.touched != nil && ns != "" && !slice {
		c.touched(ns)
	}
}
