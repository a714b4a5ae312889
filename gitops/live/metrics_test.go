package live_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshc/meshc/gitops/live"
)

// Who watches a mesh with Prometheus sees how many objects were refused, and how long
// changes take, in every replica.
func TestMetricsShowWhatObjectsCameTo(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	l := c.watch(live.Options{Namespace: "meshc-system"})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(l.Collectors()...)
	c.report(l, "one")
	c.apply(faulty)
	c.until("the refused object is counted", func() error {
		return has(registry, `meshc_live_objects TrafficTarget Accepted False 1`, `meshc_live_objects HTTPRouteGroup Programmed True 1`)
	})
	if err := has(registry, `gotk_suspend_status Mesh town 0`, `meshc_live_status_write_failures_total 0`); err != nil {
		t.Error(err)
	}
	if err := has(registry, `gotk_reconcile_duration_seconds Mesh town 0`); err == nil {
		t.Error("no compilation was measured")
	}
}

// has tells which metrics are not there: name, values of labels in their order, value.
func has(registry *prometheus.Registry, wanted ...string) error {
	families, err := registry.Gather()
	if err != nil {
		return err
	}
	lines := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			words := map[string]string{}
			for _, l := range m.GetLabel() {
				words[l.GetName()] = l.GetValue()
			}
			is := []string{f.GetName()}
			for _, name := range []string{"kind", "condition", "status", "name"} {
				if words[name] != "" {
					is = append(is, words[name])
				}
			}
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			lines[fmt.Sprint(strings.Join(is, " "), " ", value)] = true
		}
	}
	for _, line := range wanted {
		if !lines[line] {
			return fmt.Errorf("%q is not among %v", line, lines)
		}
	}
	return nil
}
