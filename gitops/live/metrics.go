package live

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// metrics are the reconciler's own. Those that Flux's controllers have too are called
// and labelled as theirs, so that their dashboards show a mesh.
type metrics struct {
	duration prometheus.Histogram
	failures prometheus.Counter
}

func newMetrics(mesh string) *metrics {
	return &metrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gotk_reconcile_duration_seconds", Help: "Time to compile what changed, and to make a bundle of it.",
			ConstLabels: prometheus.Labels{"kind": meshKind, "name": mesh, "namespace": ""}, Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "meshc_live_status_write_failures_total", Help: "Statuses and events that could not be written; they are tried again.",
		}),
	}
}

// Collectors are the metrics of what is reconciled, for a registry.
func (l *Live) Collectors() []prometheus.Collector {
	suspension := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gotk_suspend_status", Help: "1 while spec.suspend of the Mesh is set.",
		ConstLabels: prometheus.Labels{"kind": meshKind, "name": l.opts.Mesh, "namespace": ""},
	}, func() float64 {
		if l.Suspended() {
			return 1
		}
		return 0
	})
	return []prometheus.Collector{l.metrics.duration, l.metrics.failures, suspension, objectsByCondition{l}}
}

var objectsDesc = prometheus.NewDesc("meshc_live_objects", "Objects in the cluster by kind, and by what their status says of a condition; none: it says nothing.",
	[]string{"kind", "condition", "status"}, nil)

// objectsByCondition counts objects when it is asked: what they say is in the cluster,
// and the same for every replica.
type objectsByCondition struct{ *Live }

func (objectsByCondition) Describe(out chan<- *prometheus.Desc) { out <- objectsDesc }

func (o objectsByCondition) Collect(out chan<- prometheus.Metric) {
	for _, k := range kinds {
		second := programmed
		if k.name == meshKind {
			second = ready
		}
		counts := map[[2]string]int{}
		for _, x := range o.stores[k.name].GetStore().List() {
			u := x.(*unstructured.Unstructured)
			if k.name == meshKind && u.GetName() != o.opts.Mesh {
				continue
			}
			says := saying(u)
			for _, kind := range []string{accepted, second} {
				counts[[2]string{kind, cmp.Or(says[kind], "none")}]++
			}
		}
		for _, kind := range []string{accepted, second} {
			for _, status := range []string{"True", "False", "Unknown", "none"} {
				n := float64(counts[[2]string{kind, status}])
				out <- prometheus.MustNewConstMetric(objectsDesc, prometheus.GaugeValue, n, k.name, kind, status)
			}
		}
	}
}

// saying are the statuses of an object's conditions by their type. There may be
// thousands of objects: nothing is copied.
func saying(u *unstructured.Unstructured) map[string]string {
	status, _ := u.Object["status"].(map[string]any)
	list, _ := status["conditions"].([]any)
	out := make(map[string]string, len(list))
	for _, c := range list {
		c, _ := c.(map[string]any)
		kind, _ := c["type"].(string)
		out[kind], _ = c["status"].(string)
	}
	return out
}
