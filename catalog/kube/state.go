package kube

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/meshc/meshc/catalog"
)

// translate reads the namespaces that changed. The result is whether it came to
// anything: most changes of pods do not.
func (c *cluster) translate(rules Rules) bool {
	c.mu.Lock()
	dirty, all := c.dirty, c.all
	c.dirty, c.all = map[string]bool{}, false
	c.mu.Unlock()
	if all {
		c.nodes = c.localities()
		for _, ns := range c.namespaces() {
			dirty[ns] = true
		}
		for ns := range c.parts {
			dirty[ns] = true
		}
	}
	news := all
	for ns := range dirty {
		objects := c.objects(ns)
		objects.Localities = c.nodes
		part := rules.Translate(objects)
		if objects.empty() {
			if _, had := c.parts[ns]; had {
				delete(c.parts, ns)
				news = true
			}
			continue
		}
		if !reflect.DeepEqual(c.parts[ns], part) {
			c.parts[ns], news = part, true
		}
	}
	return news
}

// namespaces are those in which anything is; a name may come several times.
func (c *cluster) namespaces() []string {
	var out []string
	for _, s := range []string{"namespaces", "services", "pods", "serviceaccounts"} {
		for _, key := range c.stores[s].GetStore().ListKeys() {
			ns, name, _ := cache.SplitMetaNamespaceKey(key) // the store made it
			if ns == "" {
				ns = name
			}
			out = append(out, ns)
		}
	}
	return out
}

// state is the cluster as it was translated last.
func (c *cluster) state() Cluster {
	out := Cluster{Name: c.name}
	for _, ns := range slices.Sorted(maps.Keys(c.parts)) {
		out.Parts = append(out.Parts, c.parts[ns])
	}
	for _, o := range c.stores["servicecidrs"].GetStore().List() {
		out.ServiceRanges = append(out.ServiceRanges, parsePrefixes(o.(*networking.ServiceCIDR).Spec.CIDRs)...)
	}
	for _, o := range c.stores["nodes"].GetStore().List() {
		out.PodRanges = append(out.PodRanges, parsePrefixes(o.(*core.Node).Spec.PodCIDRs)...)
	}
	return out
}

func parsePrefixes(in []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range in {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

func (c *cluster) localities() map[string]catalog.Locality {
	out := map[string]catalog.Locality{}
	for _, o := range c.stores["nodes"].GetStore().List() {
		n := o.(*core.Node)
		out[n.Name] = catalog.Locality{Region: n.Labels[core.LabelTopologyRegion], Zone: n.Labels[core.LabelTopologyZone]}
	}
	return out
}

// objects are what the stores hold of a namespace, without localities.
func (c *cluster) objects(ns string) *Objects {
	out := &Objects{Name: ns}
	if o, ok, _ := c.stores["namespaces"].GetStore().GetByKey(ns); ok { // stores in memory do not fail
		n := o.(*core.Namespace)
		out.Labels, out.Annotations, out.Exists = n.Labels, n.Annotations, true
	}
	out.Services = held[*core.Service](c, "services", ns)
	out.Slices = held[*discovery.EndpointSlice](c, "endpointslices", ns)
	out.Pods = held[*core.Pod](c, "pods", ns)
	for _, a := range held[*core.ServiceAccount](c, "serviceaccounts", ns) {
		out.Accounts = append(out.Accounts, a.Name)
	}
	return out
}

// held are the objects of one kind in a namespace, in order of name.
func held[T meta.Object](c *cluster, resource, ns string) []T {
	found, _ := c.stores[resource].GetIndexer().ByIndex(cache.NamespaceIndex, ns) // it fails only for an index that is not there
	out := make([]T, 0, len(found))
	for _, o := range found {
		out = append(out, o.(T))
	}
	slices.SortFunc(out, func(a, b T) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return out
}
