package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/meshc/meshc/xds/link"
)

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, c *control) string {
	t.Helper()
	w := httptest.NewRecorder()
	c.server.AdminHandler(false).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	b, err := io.ReadAll(w.Body)
	must(t, err)
	return string(b)
}

// Dashboards and alerts rest on these names and labels.
func TestMetrics(t *testing.T) {
	c := served(t)
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.boot("shop/a")
	p.subscribe(link.Extension, "nothing")
	p.nack(p.next(link.Extension), "no such thing")
	p.quiet()
	c.refusedWith(c.dial(nil), "garbage", 16, "")
	got := scrape(t, c)
	for _, want := range []string{
		`meshc_xds_streams{protocol="delta"} 1`,
		`meshc_xds_streams_rejected_total{code="Unauthenticated"} 1`,
		`meshc_xds_pushes_total{type="CDS"} 1`,
		`meshc_xds_acks_total{type="LDS"} 1`,
		`meshc_xds_nacks_total{type="ECDS"} 1`,
		`meshc_xds_resources_sent_total{type="SDS"} 2`,
		`meshc_xds_ack_duration_seconds_count{type="RDS"} 1`,
		`meshc_xds_push_duration_seconds_count 1`,
		`meshc_xds_resources{type="EDS"} 1`,
		`meshc_xds_config_size_bytes{type="RDS"}`,
		`meshc_xds_leaf_certificates_issued_total 1`,
		`meshc_xds_bundle_info{bundle_digest="sha256:`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// Readiness follows the world: a balancer must not send proxies to a server that
// would refuse them.
func TestReadiness(t *testing.T) {
	c := newControl(t)
	ready := func() int {
		w := httptest.NewRecorder()
		c.server.AdminHandler(false).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return w.Code
	}
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("without a world: %d", got)
	}
	c.server.Set(shop(t, nil, "shop/a"), snapshot(shopSnapshot(), buyer))
	if got := ready(); got != http.StatusOK {
		t.Errorf("with a world: %d", got)
	}
	c.server.Close()
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("while it stops: %d", got)
	}
}
