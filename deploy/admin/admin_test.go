package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/meshc/meshc/deploy/admin"
)

// said is what a sidecar's Envoy says, cut short; PRIVATE stands where nobody may look.
var said = map[string]string{
	"/config_dump": `{"configs": [
{"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"static_resources": {"secrets": [
  {"name": "own", "tls_certificate": {"private_key": {"inline_string": "PRIVATE"}}}, {"name": "file", "tls_certificate": {"private_key": {"filename": "/key.pem"}}}]},
  "hdr": {"key": "Authorization", "value": "Bearer PRIVATE"}, "grpc": {"initial_metadata": [{"key": "authorization", "value": "PRIVATE"}]}}},
{"@type": "type.googleapis.com/envoy.admin.v3.EcdsConfigDump", "ecds_filters": [{"ecds_filter": {"name": "rbac/shop/web:7000", "typed_config": {"rules": {"policies": {"TrafficTarget/shop/raw#rule0": {}}}}}}]},
{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "static_listeners": [{"listener": {"name": "meshc-metrics", "address": {"socket_address": {"address": "::", "port_value": 15010}}}}],
 "dynamic_listeners": [
  {"name": "inbound", "active_state": {"listener": {"name": "inbound", "address": {"socket_address": {"address": "0.0.0.0", "port_value": 15003}}, "filter_chains": [
    {"name": "inbound/shop/web:80", "filter_chain_match": {"destination_port": 8080}, "filters": [{"name": "hcm", "typed_config": {"rds": {"route_config_name": "inbound/shop/web:80"}}}]},
    {"name": "inbound/shop/web:7000/shop/client", "filter_chain_match": {"destination_port": 7000}, "filters": [{"name": "rbac/shop/web:7000", "config_discovery": {}}, {"name": "tcp", "typed_config": {"cluster": "inbound"}}]}]}},
   "error_state": {"details": "no such filter"}},
  {"name": "outbound/shop/db:80", "warming_state": {"listener": {"name": "outbound/shop/db:80"}}}]},
{"@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump", "dynamic_route_configs": [
  {"route_config": {"name": "inbound/shop/web:80", "virtual_hosts": [{"routes": [{"name": "Service/shop/web:80", "match": {"prefix": "/"}, "route": {"cluster": "inbound"},
    "typed_per_filter_config": {"rbac": {"rbac": {"rules": {"policies": {"BreakGlass/shop/now": {}, "TrafficTarget/shop/readers#rule1": {}, "Mode/permissive": {}}}}}}}]}]}},
  {"route_config": {"name": "outbound/shop/all:80", "virtual_hosts": [{"routes": [{"name": "TrafficSplit/shop/canary", "match": {"prefix": "/"},
    "route": {"weighted_clusters": {"clusters": [{"name": "shop/v1:80", "weight": 9}, {"name": "shop/v2:80"}]}}}]}]}}]},
{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters": [{"cluster": {"name": "shop/v1:80", "type": "EDS"}}]},
{"@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump", "dynamic_active_secrets": [
  {"name": "identity", "last_updated": "2027-01-31T12:00:00Z", "secret": {"tls_certificate": {"certificate_chain": {"inline_string": "none"}, "private_key": {"inline_bytes": "PRIVATE"}}}},
  {"name": "token", "secret": {"generic_secret": {"secret": {"inline_string": "PRIVATE"}}}}]}]}`,
	"/clusters": `{"cluster_statuses": [{"name": "shop/v1:80", "host_statuses": [
  {"address": {"socket_address": {"address": "10.0.0.1", "port_value": 8080}}, "health_status": {"eds_health_status": "HEALTHY"}, "weight": 1, "stats": [{"name": "rq_total", "value": "7"}]},
  {"address": {"socket_address": {"address": "fd00::1", "port_value": 8080}}, "health_status": {"eds_health_status": "HEALTHY", "failed_outlier_check": true}, "weight": 1, "priority": 1, "locality": {"zone": "b"}}]}]}`,
}

// envoy is a client of what is said.
func envoy(t *testing.T) *http.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(said[r.URL.Path])) // the client says so if it is gone
	}))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at)}} // whatever host is asked
}

// A key or a token in what an administrator passes on would be everybody's.
func TestWhatIsPrivateIsNotTold(t *testing.T) {
	dump, err := admin.Dump(t.Context(), envoy(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(dump)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "PRIVATE") || !strings.Contains(string(text), "/key.pem") {
		t.Errorf("%s", text)
	}
}

// Each resource says which objects it comes from, and where these are written.
func TestResourcesLeadBackToObjects(t *testing.T) {
	web := envoy(t)
	dump, err := admin.Dump(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := admin.Hosts(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, table := range admin.Tables(dump, hosts, "", func(o string) string {
		return map[string]string{"TrafficTarget/shop/readers": "policy.yaml:7", "Service/shop/db": "Service/shop/db"}[o]
	}) {
		for _, row := range table.Rows {
			out = append(out, table.Kind+": "+strings.Join(row, " | "))
		}
	}
	want := `listeners: inbound | 0.0.0.0:15003 | active, refused: no such filter |  | 
listeners: inbound > inbound/shop/web:7000/shop/client | port 7000 |  | filter rbac/shop/web:7000, cluster inbound | Service/shop/web, TrafficTarget/shop/raw
listeners: inbound > inbound/shop/web:80 | port 8080 |  | routes inbound/shop/web:80 | Service/shop/web
listeners: meshc-metrics | [::]:15010 | static |  | 
listeners: outbound/shop/db:80 |  | warming |  | Service/shop/db
routes: inbound/shop/web:80 | Service/shop/web:80 | prefix / | cluster inbound | BreakGlass/shop/now, Mesh, Service/shop/web, TrafficTarget/shop/readers (policy.yaml:7)
routes: outbound/shop/all:80 | TrafficSplit/shop/canary | prefix / | 9 of cluster shop/v1:80, 0 of cluster shop/v2:80 | Service/shop/all, TrafficSplit/shop/canary
clusters: shop/v1:80 | EDS | active | 1 of 2 | Service/shop/v1
endpoints: shop/v1:80 | 10.0.0.1:8080 | healthy | 1 | 0 |  | 7
endpoints: shop/v1:80 | [fd00::1]:8080 | failed outlier check | 1 | 1 | b | 
secrets: identity | certificate | active |  |  | 2027-01-31T12:00:00Z
secrets: token | token | active |  |  | `
	if is := strings.Join(out, "\n"); is != want {
		t.Errorf("it is\n%s\nwant\n%s", is, want)
	}
	if one := admin.Tables(dump, hosts, "clusters", nil); len(one) != 1 || one[0].Kind != "clusters" || admin.Section(dump, "clusters") == nil {
		t.Errorf("one kind is %+v", one)
	}
}
